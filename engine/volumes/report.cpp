#include "engine/volumes/report.h"

#include <boost/json.hpp>

#include "engine/volumes/builder.h"
#include "engine/volumes/samples.h"
#include "engine/volumes/service.h"

namespace cairn::volumes {
namespace {

namespace json = boost::json;

json::array array_of(recon::Vec3 v) {
  return {v.x, v.y, v.z};
}

const char* name_of(recon::VoxelType type) {
  switch (type) {
    case recon::VoxelType::uint8:
      return "uint8";
    case recon::VoxelType::int8:
      return "int8";
    case recon::VoxelType::uint16:
      return "uint16";
    case recon::VoxelType::int16:
      return "int16";
    case recon::VoxelType::int32:
      return "int32";
    case recon::VoxelType::float32:
      return "float32";
  }
  return "unknown";
}

const char* name_of(recon::Fate fate) {
  switch (fate) {
    case recon::Fate::used:
      return "used";
    case recon::Fate::split_off:
      return "split-off";
    case recon::Fate::refused:
      return "refused";
  }
  return "unknown";
}

const char* name_of(codec::VOIFunction function) {
  switch (function) {
    case codec::VOIFunction::linear:
      return "LINEAR";
    case codec::VOIFunction::linear_exact:
      return "LINEAR_EXACT";
    case codec::VOIFunction::sigmoid:
      return "SIGMOID";
  }
  return "LINEAR";
}

json::object oddity_json(const recon::Oddity& o) {
  return {{"kind", recon::to_string(o.kind)}, {"text", o.text}};
}

json::object volume_json(const SeriesPlan& plan, std::size_t index) {
  const recon::AssembledVolume& v = plan.assembly.volumes[index];
  const recon::VolumeGeometry g = v.layout.view();
  const InstanceInfo& info = plan.instances[plan.frame_of(v, 0).instance];
  json::object o;
  o["index"] = index;
  o["dimensions"] = json::array{g.columns, g.rows, g.slices};
  // Distance between slice planes, along their normal; the step itself is slice_step_mm.
  o["spacing_mm"] = json::array{g.column_spacing_mm, g.row_spacing_mm, dot(g.slice_step_mm, g.normal)};
  o["origin_mm"] = array_of(g.origin_mm);
  o["row_direction"] = array_of(g.row_direction);
  o["column_direction"] = array_of(g.column_direction);
  o["normal"] = array_of(g.normal);
  o["slice_step_mm"] = array_of(g.slice_step_mm);
  o["geometry"] = recon::to_string(g.kind);
  o["uniform_spacing"] = v.uniform_spacing;
  o["tilt_degrees"] = v.tilt_degrees;
  if (g.slices > 1) {
    o["slice_distance_mm"] =
        json::object{{"smallest", v.smallest_step_mm}, {"median", v.median_step_mm}, {"largest", v.largest_step_mm}};
  }
  if (g.kind == recon::GeometryClass::per_slice) {
    json::array positions;
    for (std::size_t k = 0; k < g.slices; ++k) positions.push_back(array_of(*plan.frame_of(v, k).geometry.position_mm));
    o["slice_positions_mm"] = std::move(positions);
  }
  o["largest_corner_error_mm"] = v.corner_error_mm;
  if (const auto type = voxel_type(info.format)) o["voxel_type"] = name_of(type.value());
  o["samples_per_pixel"] = info.format.samples_per_pixel;
  o["photometric_interpretation"] = info.format.photometric;
  o["voxel_bytes"] = voxel_bytes(plan, index);
  o["rescale_per_slice"] = v.varying_rescale;
  if (!v.phase.empty()) o["phase"] = v.phase;
  o["localizer"] = v.localizer;
  if (info.format.samples_per_pixel == 1) {
    if (const auto window = header_window(plan, v)) {
      o["window"] =
          json::object{{"center", window->center}, {"width", window->width}, {"function", name_of(window->function)}};
    }
  }
  json::array oddities;
  for (const recon::Oddity& odd : plan.assembly.report.oddities) {
    if (!odd.whole_series && odd.volume == index) oddities.push_back(oddity_json(odd));
  }
  o["oddities"] = std::move(oddities);
  return o;
}

json::object frame_json(const SeriesPlan& plan, std::size_t i) {
  json::object o;
  o["frame"] = plan.frames[i].frame + 1;
  if (plan.assembled[i] == SeriesPlan::kNotAssembled) {
    o["fate"] = name_of(recon::Fate::refused);
    o["reason"] = plan.frames[i].refusal;
    return o;
  }
  const recon::FrameAccount& account = plan.assembly.report.frames[plan.assembled[i]];
  o["fate"] = name_of(account.fate);
  if (account.fate != recon::Fate::refused) {
    o["volume"] = account.volume;
    o["slice"] = account.slice;
  }
  if (!account.reason.empty()) o["reason"] = account.reason;
  return o;
}

json::object attribute(const char* vr, json::array values) {
  return {{"vr", vr}, {"Value", std::move(values)}};
}

}  // namespace

std::string report_json(const SeriesPlan& plan, std::string_view study_uid, std::string_view series_uid) {
  json::object o;
  o["study_instance_uid"] = study_uid;
  o["series_instance_uid"] = series_uid;
  o["modality"] = plan.modality;
  json::array volumes, oddities, instances;
  for (std::size_t v = 0; v < plan.assembly.volumes.size(); ++v) volumes.push_back(volume_json(plan, v));
  if (!plan.assembly.volumes.empty()) o["primary"] = plan.assembly.primary;
  o["volumes"] = std::move(volumes);
  for (const recon::Oddity& odd : plan.assembly.report.oddities) {
    if (odd.whole_series) oddities.push_back(oddity_json(odd));
  }
  o["oddities"] = std::move(oddities);

  std::size_t next = 0;  // frames lie in the order of their instances
  for (std::size_t n = 0; n < plan.instances.size(); ++n) {
    json::array frames;
    for (; next < plan.frames.size() && plan.frames[next].instance == n; ++next)
      frames.push_back(frame_json(plan, next));
    instances.push_back(
        json::object{{"sop_instance_uid", plan.instances[n].sop_instance_uid}, {"frames", std::move(frames)}});
  }
  o["instances"] = std::move(instances);
  return json::serialize(o);
}

std::string response_module_json(const Applied& a) {
  json::object o;
  o["00720510"] = attribute("CS", {a.scene ? "3D_RENDERING" : "MPR"});
  const char* method = a.slab.projection == recon::Projection::maximum   ? "MAXIMUM_IP"
                       : a.slab.projection == recon::Projection::minimum ? "MINIMUM_IP"
                                                                         : "AVERAGE_IP";
  if (a.scene) {
    const char* methods[] = {"VOLUME_RENDERED", "MAXIMUM_IP", "MINIMUM_IP", "AVERAGE_IP"};
    method = methods[static_cast<std::size_t>(a.scene->look)];
  }
  o["0070120D"] = attribute("CS", {method});
  o["00701603"] = attribute("FD", array_of(a.camera.position_mm));
  o["00701604"] = attribute("FD", array_of(a.camera.look_at_mm));
  o["00701605"] = attribute("FD", array_of(a.camera.up));
  if (a.slab.thickness_mm > 0) o["00701503"] = attribute("FD", {a.slab.thickness_mm});
  if (a.window && !(a.scene && a.scene->look == recon::Look::volume)) {
    o["00281050"] = attribute("DS", {a.window->center});
    o["00281051"] = attribute("DS", {a.window->width});
    o["00281056"] = attribute("CS", {name_of(a.window->function)});
  }
  return json::serialize(o);
}

std::string plane_json(const Applied& a, MediaType media) {
  json::object o;
  o["origin_mm"] = array_of(a.plane.origin_mm);
  o["right_mm"] = array_of(a.plane.right_mm);
  o["down_mm"] = array_of(a.plane.down_mm);
  o["size"] = json::array{a.plane.width, a.plane.height};
  if (a.slab.thickness_mm > 0) o["slab_mm"] = a.slab.thickness_mm;
  if (a.scene) {
    o["projection"] = a.scene->perspective ? "perspective" : "orthographic";
    if (!a.scene->preset.empty()) o["preset"] = a.scene->preset;
  }
  if (!a.frame_of_reference_uid.empty()) o["frame_of_reference_uid"] = a.frame_of_reference_uid;
  o["volume"] = a.volume;
  o["volumes"] = a.volumes;
  o["geometry"] = a.geometry_class;
  if (media == MediaType::raw) {
    o["type"] = "float32";
    o["endian"] = "little";
    o["outside"] = "NaN";
  } else if (media == MediaType::png16) {
    o["type"] = "uint16";
    o["scale"] = a.value_scale;
    o["offset"] = a.value_offset;
    o["outside"] = 0;
  }
  return json::serialize(o);
}

}  // namespace cairn::volumes
