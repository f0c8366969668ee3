#include "engine/web/metadata_cache.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

MetadataCache::Series series_of(std::uint64_t version, std::size_t bytes) {
  MetadataCache::Series series;
  series.version = version;
  series.json.push_back(piece_of(std::string(bytes, 'x')));
  series.json_bytes = bytes;
  return series;
}

TEST(MetadataCache, KeepsTheLatestUsedWithinItsBudget) {
  MetadataCache cache(100);
  cache.insert("a", series_of(1, 40));
  cache.insert("b", series_of(1, 40));
  EXPECT_NE(cache.find("a", 1), nullptr);
  cache.insert("c", series_of(1, 40));
  EXPECT_NE(cache.find("a", 1), nullptr);
  EXPECT_EQ(cache.find("b", 1), nullptr) << "the least recently used one goes";
  cache.insert("large", series_of(1, 51));
  EXPECT_EQ(cache.find("large", 1), nullptr) << "one series never takes more than half";
}

TEST(MetadataCache, GivesNothingOfAnotherVersion) {
  MetadataCache cache(100);
  cache.insert("a", series_of(1, 10));
  EXPECT_EQ(cache.find("a", 2), nullptr);
  cache.insert("a", series_of(2, 10));
  EXPECT_EQ(cache.find("a", 1), nullptr);
  EXPECT_EQ(cache.find("a", 2)->version, 2u);
}

TEST(MetadataCache, CountsTheCodedFormToo) {
  MetadataCache cache(100);
  cache.insert("a", series_of(1, 40));
  cache.insert("b", series_of(1, 40));
  const auto held = cache.find("b", 1);
  cache.add_gzip("b", held, std::string(30, 'z'));
  EXPECT_EQ(cache.gzip_of(held)->size(), 30u);
  EXPECT_EQ(cache.find("a", 1), nullptr);
  // One that has been replaced meanwhile takes no coded form of its forerunner.
  cache.insert("b", series_of(2, 40));
  cache.add_gzip("b", held, "stale");
  EXPECT_EQ(cache.gzip_of(cache.find("b", 2)), nullptr);
}

TEST(MetadataCache, OfNoSizeKeepsNothing) {
  MetadataCache cache(0);
  cache.insert("a", series_of(1, 1));
  EXPECT_EQ(cache.find("a", 1), nullptr);
}

}  // namespace
}  // namespace cairn::web
