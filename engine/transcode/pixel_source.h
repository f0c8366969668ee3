// The bytes that the extents of a stored header count in (dicom::BulkValue): the stored stream, or the inflated data
// set of a deflated one. Blocking; a source belongs to one thread at a time. The archive outlives it.
#pragma once

#include <memory>

#include "codec/byte_source.h"
#include "engine/archive/archive.h"

namespace cairn::transcode {

/// A deflated data set is inflated while it is read: going forward costs nothing more, going back begins anew; memory
/// stays the same. Its size() is not known and said to be huge.
std::unique_ptr<codec::ByteSource> open_source(archive::Archive& archive, const archive::Instance& instance,
                                               bool deflated);

}  // namespace cairn::transcode
