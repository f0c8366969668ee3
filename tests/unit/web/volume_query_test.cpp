#include "engine/web/volume_query.h"

#include <gtest/gtest.h>

namespace cairn::web {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
const Resource kSeries{"1.2", "1.2.3", ""};

TEST(VolumeQuery, TakesAViewAndItsSize) {
  const auto query = parse_volume_query(kSeries, false,
                                        Pairs{{"orientation", "a"},
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
  const auto query = parse_volume_query(kSeries, false, all).value();
  ASSERT_TRUE(query.render.viewpoint);
  EXPECT_EQ(query.render.viewpoint->position_mm.y, -100.5);
  EXPECT_EQ(query.render.viewpoint->position_mm.z, 30);
  for (std::size_t left_out = 0; left_out < 3; ++left_out) {
    Pairs some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out));
    const auto error = parse_volume_query(kSeries, false, some).error();
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
    const auto result = parse_volume_query(kSeries, false, Pairs{{name, value}});
    ASSERT_FALSE(result) << name << '=' << value;
    EXPECT_STREQ(result.error().where, name.c_str()) << value;
  }
}

TEST(VolumeQuery, TakesCairnsOwnParameters) {
  const auto query =
      parse_volume_query(
          kSeries, false,
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

TEST(VolumeQuery, TakesA3DView) {
  const auto plain = parse_volume_query(kSeries, true, Pairs{}).value();
  ASSERT_TRUE(plain.render.scene);
  EXPECT_EQ(plain.render.scene->look, recon::Look::volume);
  EXPECT_FALSE(parse_volume_query(kSeries, false, Pairs{}).value().render.scene);
  const auto query = parse_volume_query(kSeries, true,
                                        Pairs{{"renderingmethod", "minimum_ip"},
                                              {"projection", "perspective"},
                                              {"crop", "10,5,-3,0,0,9"},
                                              {"transferfunction", "-100,0,0,0,0;200,1,0.5,0.25,0.3;900,1,1,1,0.9"}})
                         .value();
  const volumes::SceneRequest& scene = *query.render.scene;
  EXPECT_EQ(scene.look, recon::Look::minimum);
  EXPECT_TRUE(scene.perspective);
  EXPECT_EQ(scene.crop->low.x, 0);
  EXPECT_EQ(scene.crop->high.x, 10);
  EXPECT_EQ(scene.crop->high.z, 9);
  ASSERT_EQ(scene.points.size(), 3u);
  EXPECT_EQ(scene.points[1].green, 0.5);
  for (const auto& [name, value] : Pairs{{"preset", "x"},
                                         {"projection", "fisheye"},
                                         {"crop", "1,2,3,4,5"},
                                         {"crop", "1,2,3,1,5,6"},
                                         {"crop", "1,2,3,4,5,nan"},
                                         {"transferfunction", "1,2,3"},
                                         {"transferfunction", "0,0,0,0,0;1,1,1,1,7"},
                                         {"transferfunction", "5,0,0,0,0;1,1,1,1,0.5"},
                                         {"renderingmethod", "x"},
                                         {"mprslab", "5"},
                                         {"planes", "3,1"},
                                         {"interpolation", "cubic"}}) {
    const auto result = parse_volume_query(kSeries, true, Pairs{{name, value}});
    ASSERT_FALSE(result) << name << '=' << value;
    EXPECT_STREQ(result.error().where, name.c_str()) << value;
  }
}

// PS3.18 lets a server ignore parameters; a filter that is ignored would give another picture than was asked for.
TEST(VolumeQuery, RefusesToIgnoreAFilter) {
  EXPECT_EQ(parse_volume_query(kSeries, false, Pairs{{"CardiacRRIntervalSpecified", "140-260"}}).error(),
            Errc::unsupported);
  EXPECT_EQ(parse_volume_query(kSeries, false, Pairs{{"match", "x"}}).error(), Errc::unsupported);
}

TEST(VolumeQuery, RefusesTwoWaysOfLooking) {
  EXPECT_FALSE(parse_volume_query(kSeries, false,
                                  Pairs{{"orientation", "a"},
                                        {"viewpointposition", "0,1,0"},
                                        {"viewpointlookat", "0,0,0"},
                                        {"viewpointup", "0,0,1"}}));
}

TEST(VolumeQuery, IgnoresWhatItDoesNotKnowAndSaysSo) {
  EXPECT_EQ(parse_volume_query(kSeries, false, Pairs{{"annotation", "patient"}, {"x", "y"}}).value().warnings.size(),
            1u);
}

}  // namespace
}  // namespace cairn::web
