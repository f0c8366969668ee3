#include "engine/web/volume_query.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
const Resource kSeries{"1.2", "1.2.3", ""};

TEST(VolumeQuery, TakesAViewAndItsSize) {
  const auto query = parse_volume_query(kSeries, Pairs{{"orientation", "a"},
                                                       {"viewport", "640,480"},
                                                       {"window", "40,400"},
                                                       {"quality", "75"},
                                                       {"mprslab", "12.5"},
                                                       {"renderingmethod", "maximum_ip"}})
                         .value();
  EXPECT_EQ(query.render.volume.study_uid, "1.2");
  EXPECT_EQ(query.render.volume.series_uid, "1.2.3");
  EXPECT_EQ(query.render.orientation, recon::Orientation::anterior);
  EXPECT_EQ(query.render.viewport.width, 640u);
  EXPECT_EQ(query.render.viewport.height, 480u);
  EXPECT_EQ(query.render.window->center, 40);
  EXPECT_EQ(query.render.window->width, 400);
  EXPECT_EQ(query.render.quality, 75);
  EXPECT_EQ(query.render.slab.thickness_mm, 12.5);
  EXPECT_EQ(query.render.slab.projection, recon::Projection::maximum);
  EXPECT_TRUE(query.warnings.empty());
}

TEST(VolumeQuery, TakesACameraWhole) {
  const Pairs all{{"viewpointposition", "0,-100.5,3e1"}, {"viewpointlookat", "0,0,0"}, {"viewpointup", "0,0,1"}};
  const auto query = parse_volume_query(kSeries, all).value();
  ASSERT_TRUE(query.render.viewpoint);
  EXPECT_EQ(query.render.viewpoint->position_mm.y, -100.5);
  EXPECT_EQ(query.render.viewpoint->position_mm.z, 30);
  for (std::size_t left_out = 0; left_out < 3; ++left_out) {
    Pairs some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out));
    const auto error = parse_volume_query(kSeries, some).error();
    EXPECT_EQ(error, Errc::missing);
    EXPECT_STREQ(error.where, all[left_out].first.c_str());
  }
}

TEST(VolumeQuery, NamesTheParameterThatIsWrong) {
  for (const auto& [name, value] : Pairs{{"orientation", "x"},
                                         {"viewport", "0,5"},
                                         {"viewport", "5"},
                                         {"viewport", "5,5,5"},
                                         {"viewport", "-5,5"},
                                         {"viewport", "99999,5"},
                                         {"window", "a,b"},
                                         {"quality", "0"},
                                         {"quality", "101"},
                                         {"quality", "x"},
                                         {"mprslab", "-1"},
                                         {"mprslab", "nan"},
                                         {"mprslab", "inf"},
                                         {"renderingmethod", "best"},
                                         {"viewpointup", "1,2"},
                                         {"viewpointup", "1,2,x"},
                                         {"viewpointup", "1,2,inf"},
                                         {"volumeinputreference", "abc"},
                                         {"volumeinputreference", "1.2/0"},
                                         {"volumeinputreference", "1.2,x"},
                                         {"interpolation", "sinc"},
                                         {"planes", "4"},
                                         {"planes", "0,1"},
                                         {"planes", "9999,1"},
                                         {"planes", "4,0"},
                                         {"planes", "4,nan"},
                                         {"planes", "4,-1"},
                                         {"bits", "12"},
                                         {"renderedvolumetricmetadata", "maybe"},
                                         {"swivelrange", "30"},
                                         {"animationrate", "5"}}) {
    const auto result = parse_volume_query(kSeries, Pairs{{name, value}});
    ASSERT_FALSE(result) << name << '=' << value;
    EXPECT_STREQ(result.error().where, name.c_str()) << value;
  }
}

TEST(VolumeQuery, TakesCairnsOwnParameters) {
  const auto query =
      parse_volume_query(
          kSeries,
          Pairs{{"interpolation", "cubic"}, {"planes", "5,2.5"}, {"bits", "16"}, {"volumeinputreference", "1.2.3.4,7"}})
          .value();
  EXPECT_EQ(query.render.interpolation, recon::Interpolation::cubic);
  EXPECT_EQ(query.stack.count, 5u);
  EXPECT_EQ(query.stack.advance_mm(0), -5);
  EXPECT_EQ(query.stack.advance_mm(4), 5);
  EXPECT_TRUE(query.sixteen_bits);
  EXPECT_EQ(query.render.volume.reference_uid, "1.2.3.4");
  EXPECT_EQ(query.render.volume.reference_frame, 7u);
}

// PS3.18 lets a server ignore parameters; a filter that is ignored would give another picture than was asked for.
TEST(VolumeQuery, RefusesToIgnoreAFilter) {
  EXPECT_EQ(parse_volume_query(kSeries, Pairs{{"CardiacRRIntervalSpecified", "140-260"}}).error(), Errc::unsupported);
  EXPECT_EQ(parse_volume_query(kSeries, Pairs{{"match", "x"}}).error(), Errc::unsupported);
}

TEST(VolumeQuery, RefusesTwoWaysOfLooking) {
  EXPECT_FALSE(parse_volume_query(kSeries, Pairs{{"orientation", "a"},
                                                 {"viewpointposition", "0,1,0"},
                                                 {"viewpointlookat", "0,0,0"},
                                                 {"viewpointup", "0,0,1"}}));
}

TEST(VolumeQuery, IgnoresWhatItDoesNotKnowAndSaysSo) {
  EXPECT_EQ(parse_volume_query(kSeries, Pairs{{"annotation", "patient"}, {"x", "y"}}).value().warnings.size(), 1u);
}

}  // namespace
}  // namespace cairn::web
