#include "engine/core/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace cairn {
namespace {

TEST(Crc32c, HasTheCheckValueOfTheCatalogue) { EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u); }

TEST(Crc32c, OfPiecesIsTheCrcOfTheWhole) {
  std::mt19937 random(7);
  std::vector<std::byte> data(100'000);
  for (std::byte& b : data) b = static_cast<std::byte>(random());
  const Bytes all(data);
  for (std::size_t cut : {0u, 1u, 63u, 64u, 4096u, 99'999u, 100'000u}) {
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c(all)) << cut;
  }
}

TEST(DigestStream, AgreesWithTheDigestOfTheWhole) {
  std::vector<std::byte> data(300'000, std::byte{0x5a});
  DigestStream stream;
  stream.update(Bytes(data).first(12'345));
  stream.update(Bytes(data).subspan(12'345));
  EXPECT_EQ(stream.digest(), digest128(data));
  data[200'000] = std::byte{0x5b};
  EXPECT_NE(stream.digest(), digest128(data));
}

}  // namespace
}  // namespace cairn
