// Studies of a large hospital, invented from a seed: who they are of, when, and what an index is asked about them.
// Names in several scripts, patients who come again, fifteen years of dates. A query client that knows the seed knows
// what is there.
#pragma once

#include <cstdint>
#include <string>

namespace cairn::load {

struct FiledStudy {
  std::string study_instance_uid, patient_id, accession_number;
  std::string patient_name;  ///< UTF-8, component groups as PS3.5 §6.2.1 has them
  std::string family_name;   ///< first component of the first group
  std::string birth_date, sex, study_date, study_time, description;
  const char* modality = "";
  const char* sop_class_uid = "";
  unsigned series = 1;
};

/// The `study`th study of sender `sender`: below 10,000,000. A pure function of its arguments.
FiledStudy filed_study(std::uint64_t seed, std::uint64_t sender, std::uint64_t study);

}  // namespace cairn::load
