// Whether two instances in the log hold the same data set, byte for byte. Internal to engine/archive.
#pragma once

#include "engine/store/index/index.h"
#include "engine/store/log.h"

namespace cairn::archive {

/// Compares from data_set_offset on, part by part, and stops at the first difference. Blocking reads of the log.
/// Precondition: both data sets have the same length.
store::Comparison compare_content(store::Log& log, const store::InstanceRow& stored,
                                  const store::InstanceRecord& newer);

}  // namespace cairn::archive
