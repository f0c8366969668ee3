#include "codec/voi.h"

#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace cairn::codec {
namespace {

// PS3.3 C.11.2.1.2.1, notes: the pseudo-code's results for a few windows.
TEST(VOI, linear_follows_the_standard_at_its_ends) {
  const Window w{2048, 4096, VOIFunction::linear};
  EXPECT_EQ(voi_value(w, 0), 0);
  EXPECT_EQ(voi_value(w, 4095), 255);
  EXPECT_NEAR(voi_value(w, 2048), ((2048 - 2047.5) / 4095 + 0.5) * 255, 1e-9);
  EXPECT_EQ(voi_value(w, -1), 0);
  EXPECT_EQ(voi_value(w, 4096), 255);
}

TEST(VOI, linear_of_width_one_is_a_step) {
  const Window w{100, 1, VOIFunction::linear};
  EXPECT_EQ(voi_value(w, 99.5), 0);
  EXPECT_EQ(voi_value(w, 99.6), 255);
  EXPECT_EQ(voi_value(w, 100), 255);
}

TEST(VOI, linear_exact_has_no_half_pixel) {
  const Window w{0, 100, VOIFunction::linear_exact};
  EXPECT_EQ(voi_value(w, -50), 0);
  EXPECT_NEAR(voi_value(w, 0), 127.5, 1e-9);
  EXPECT_NEAR(voi_value(w, 25), 191.25, 1e-9);
  EXPECT_NEAR(voi_value(w, 50), 255, 1e-9);
  EXPECT_EQ(voi_value(w, 50.001), 255);
}

TEST(VOI, sigmoid_is_the_logistic_function_of_the_standard) {
  const Window w{10, 40, VOIFunction::sigmoid};
  EXPECT_NEAR(voi_value(w, 10), 127.5, 1e-9);
  EXPECT_NEAR(voi_value(w, 20), 255 / (1 + std::exp(-1.0)), 1e-9);
  EXPECT_NEAR(voi_value(w, -1e9), 0, 1e-9);
}

TEST(VOI, values_are_rounded_and_monochrome1_is_inverted) {
  const Window w{127.5, 255, VOIFunction::linear_exact};
  const std::array<float, 6> in{0, 1, 127.4f, 300, -5, std::numeric_limits<float>::quiet_NaN()};
  std::array<std::uint8_t, 6> out{};
  apply_voi(w, in, out);
  EXPECT_EQ(out, (std::array<std::uint8_t, 6>{0, 1, 127, 255, 0, 0}));
  apply_voi(w, in, out, true);
  EXPECT_EQ(out, (std::array<std::uint8_t, 6>{255, 254, 128, 0, 255, 255}));
}

TEST(VOI, text_is_parsed_strictly) {
  const auto w = parse_window("40, 400,linear-exact");
  ASSERT_TRUE(w.has_value());
  EXPECT_EQ(w.value().center, 40);
  EXPECT_EQ(w.value().width, 400);
  EXPECT_EQ(w.value().function, VOIFunction::linear_exact);
  EXPECT_EQ(parse_window("-600.5,1500,SIGMOID").value().function, VOIFunction::sigmoid);
  EXPECT_EQ(parse_window("1,2").value().function, VOIFunction::linear);
  for (const char* wrong : {"", "1", "1,", ",1", "1,0,LINEAR", "1,0.5,LINEAR", "1,0,SIGMOID", "1,-3,LINEAR_EXACT",
                            "nan,1", "1,inf", "1,2,CUBIC", "1,2,LINEAR,", "1x,2", "1e999,2"}) {
    EXPECT_TRUE(parse_window(wrong).has_error()) << wrong;
  }
}

}  // namespace
}  // namespace cairn::codec
