#include "engine/store/index/rows.h"

#include <algorithm>

#include "engine/store/index/row_codec.h"

namespace cairn::store {
namespace {

void put_location(std::string& out, const Location& l) {
  put(out, l.volume);
  put(out, l.segment);
  put(out, l.offset);
}
Location location(RowReader& in) {
  Location l;
  l.volume = in.integer32();
  l.segment = in.integer32();
  l.offset = in.integer();
  return l;
}

}  // namespace

InstanceRow InstanceRow::of(const InstanceRecord& r, const Location& commit, std::uint64_t number) {
  InstanceRow row;
  row.sequence = r.sequence;
  row.sop_instance_uid = r.sop_instance_uid;
  row.sop_class_uid = r.sop_class_uid;
  row.study_instance_uid = r.study_instance_uid;
  row.series_instance_uid = r.series_instance_uid;
  row.transfer_syntax_uid = r.transfer_syntax_uid;
  row.number = number;
  row.received_unix_ns = r.received_unix_ns;
  row.stream_length = r.stream_length;
  row.data_set_offset = r.data_set_offset;
  row.pixel_data = r.pixel_data;
  row.digest = r.digest;
  row.commit = commit;
  row.parts = r.parts;
  row.until = r.until;
  return row;
}

void InstanceRow::encode(std::string& out) const {
  put(out, sequence);
  put(out, sop_class_uid);
  put(out, study_instance_uid);
  put(out, series_instance_uid);
  put(out, transfer_syntax_uid);
  put(out, number);
  put_signed(out, received_unix_ns);
  put(out, stream_length);
  put(out, data_set_offset);
  put(out, pixel_data.offset);
  put(out, pixel_data.length);
  out.append(as_text(digest));
  put_location(out, commit);
  put(out, until);
  put(out, parts.size());
  for (const Part& part : parts) {
    put_location(out, part.location);
    put(out, part.length);
    put(out, part.crc);
  }
}

Result<InstanceRow> InstanceRow::decode(std::string_view sop_instance_uid, std::string_view stored) {
  RowReader in(stored);
  InstanceRow row;
  row.sop_instance_uid = sop_instance_uid;
  row.sequence = in.integer();
  row.sop_class_uid = in.text();
  row.study_instance_uid = in.text();
  row.series_instance_uid = in.text();
  row.transfer_syntax_uid = in.text();
  row.number = in.integer();
  row.received_unix_ns = in.signed_integer();
  row.stream_length = in.integer();
  row.data_set_offset = in.integer();
  row.pixel_data.offset = in.integer();
  row.pixel_data.length = in.integer();
  const std::string_view digest = in.raw(row.digest.size());
  if (in.failed()) return fail(Errc::corrupt, "instance row");
  std::copy_n(as_bytes(digest).data(), row.digest.size(), row.digest.data());
  row.commit = location(in);
  row.until = in.integer();
  const std::uint64_t parts = in.integer();
  if (in.failed() || parts > in.remaining() / 5) return fail(Errc::corrupt, "instance row");
  row.parts.resize(static_cast<std::size_t>(parts));
  for (Part& part : row.parts) {
    part.location = location(in);
    part.length = in.integer32();
    part.crc = in.integer32();
  }
  if (!in.done()) return fail(Errc::corrupt, "instance row");
  return row;
}

void SeriesRow::encode(std::string& out) const {
  put(out, version);
  put(out, attributes_sequence);
  put(out, since);
  put(out, instances);
  put(out, bytes);
  put(out, has_number ? 1u : 0u);
  put_signed(out, number);
  put(out, modality);
  put(out, attributes);
}

Result<SeriesRow> SeriesRow::decode(std::string_view stored) {
  RowReader in(stored);
  SeriesRow row;
  row.version = in.integer();
  row.attributes_sequence = in.integer();
  row.since = in.integer();
  row.instances = in.integer();
  row.bytes = in.integer();
  row.has_number = in.integer() != 0;
  row.number = in.signed_integer();
  row.modality = in.text();
  row.attributes = in.text();
  if (!in.done()) return fail(Errc::corrupt, "series row");
  return row;
}

void StudyRow::count_modality(const std::string& modality, bool add) {
  if (modality.empty()) return;
  const auto at = std::lower_bound(modalities.begin(), modalities.end(), modality,
                                   [](const auto& entry, const std::string& name) { return entry.first < name; });
  const bool found = at != modalities.end() && at->first == modality;
  if (add && found) ++at->second;
  if (add && !found) modalities.insert(at, {modality, 1});
  if (!add && found && --at->second == 0) modalities.erase(at);
}

void StudyRow::encode(std::string& out) const {
  put(out, version);
  put(out, attributes_sequence);
  put(out, series);
  put(out, instances);
  put(out, bytes);
  put(out, patient_id);
  put(out, modalities.size());
  for (const auto& [name, count] : modalities) {
    put(out, name);
    put(out, count);
  }
  put(out, attributes);
  put(out, sole_series_uid);
  if (!sole_series_uid.empty()) sole_series.encode(out);
}

Result<StudyRow> StudyRow::decode(std::string_view stored) {
  RowReader in(stored);
  StudyRow row;
  row.version = in.integer();
  row.attributes_sequence = in.integer();
  row.series = in.integer();
  row.instances = in.integer();
  row.bytes = in.integer();
  row.patient_id = in.text();
  const std::uint64_t modalities = in.integer();
  if (in.failed() || modalities > in.remaining() / 2) return fail(Errc::corrupt, "study row");
  row.modalities.resize(static_cast<std::size_t>(modalities));
  for (auto& [name, count] : row.modalities) {
    name = in.text();
    count = in.integer();
  }
  row.attributes = in.text();
  row.sole_series_uid = in.text();
  if (!row.sole_series_uid.empty() && !in.failed()) {
    CAIRN_TRY(row.sole_series, SeriesRow::decode(in.raw(in.remaining())));
  }
  if (!in.done()) return fail(Errc::corrupt, "study row");
  return row;
}

void PatientRow::encode(std::string& out) const {
  put(out, studies);
  put(out, sole_study_uid);
}

Result<PatientRow> PatientRow::decode(std::string_view stored) {
  RowReader in(stored);
  PatientRow row;
  row.studies = in.integer();
  row.sole_study_uid = in.text();
  if (!in.done()) return fail(Errc::corrupt, "patient row");
  return row;
}

void Removal::encode(std::string& out) const {
  put(out, event.encode());
  put(out, instances);
  put(out, bytes);
  put(out, series.size());
  for (const std::string& uid : series) put(out, uid);
  put(out, forgotten);
}

Result<Removal> Removal::decode(std::string_view stored) {
  RowReader in(stored);
  Removal removal;
  const std::string_view event = in.text();
  removal.instances = in.integer();
  removal.bytes = in.integer();
  const std::uint64_t series = in.integer();
  if (in.failed() || series > in.remaining()) return fail(Errc::corrupt, "removal row");
  removal.series.resize(static_cast<std::size_t>(series));
  for (std::string& uid : removal.series) uid = in.text();
  removal.forgotten = in.integer();
  if (!in.done()) return fail(Errc::corrupt, "removal row");
  auto decoded = Event::decode(as_bytes(event));
  if (!decoded) return fail(Errc::corrupt, "removal row");
  removal.event = std::move(decoded).value();
  return removal;
}

std::string KeptInstance::encode(const InstanceRow& row, std::string_view header) {
  std::string encoded;
  row.encode(encoded);
  std::string out(8, '\0');
  store_be(reinterpret_cast<std::byte*>(out.data()), std::uint64_t{encoded.size()});
  return out.append(encoded).append(header);
}

Result<KeptInstance> KeptInstance::decode(std::string_view sop_instance_uid, std::string_view stored) {
  if (stored.size() < 8) return fail(Errc::corrupt, "kept instance row");
  const auto length = load_be<std::uint64_t>(as_bytes(stored).data());
  if (length > stored.size() - 8) return fail(Errc::corrupt, "kept instance row");
  KeptInstance out;
  CAIRN_TRY(out.row, InstanceRow::decode(sop_instance_uid, stored.substr(8, static_cast<std::size_t>(length))));
  out.header = stored.substr(8 + static_cast<std::size_t>(length));
  return out;
}

void IndexState::encode(std::string& out) const {
  for (const std::uint64_t v : {applied, patients, studies, series, instances, history, bytes, tombstones}) put(out, v);
}

Result<IndexState> IndexState::decode(std::string_view stored) {
  RowReader in(stored);
  IndexState s;
  for (std::uint64_t* v :
       {&s.applied, &s.patients, &s.studies, &s.series, &s.instances, &s.history, &s.bytes, &s.tombstones}) {
    *v = in.integer();
  }
  if (!in.done()) return fail(Errc::corrupt, "index state");
  return s;
}

}  // namespace cairn::store
