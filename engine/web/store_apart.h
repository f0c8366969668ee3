// A store request whose instances come apart (PS3.18 §10.5.1): metadata first, one part of DICOM JSON or a part of the
// Native DICOM Model for each instance, then bulk data, each part named by its Content-Location as the metadata's
// BulkDataURI names it. Nothing is ever fetched from anywhere else.
//
// An instance is put together and stored as soon as all its bulk data are there. Until then they wait in a nameless
// file, so memory holds the metadata (kMaxMetadataBytes) and one instance's data set.
#pragma once

#include <filesystem>
#include <string>

#include "engine/archive/archive.h"
#include "engine/io/worker_pool.h"
#include "engine/web/body_parts.h"
#include "engine/web/commits.h"

namespace cairn::web {

inline constexpr std::size_t kMaxMetadataBytes = 32u << 20;  ///< of one request

struct ApartContext {
  archive::Archive* archive = nullptr;
  io::WorkerPool* pool = nullptr;
  archive::Source source;
  std::string study;  ///< of the URL, or empty
  std::filesystem::path spool_directory;
};

/// Reads the body to its end; what became of each instance of the metadata ends up in `commits`. An error is one of the
/// body; what is stored stays.
Task<> store_apart(ApartContext context, bool xml, BodyParts* parts, Commits* commits);

}  // namespace cairn::web
