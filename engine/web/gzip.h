// Content coding gzip (RFC 9110 §8.4.1.3) for JSON, XML and text. DICOM streams and pictures go as they are: to
// compress them costs more than a network saves.
#pragma once

#include "engine/io/worker_pool.h"
#include "engine/web/message.h"

namespace cairn::web {

/// True when an Accept-Encoding value takes gzip. Pure.
bool takes_gzip(std::string_view accept_encoding);

/// The pieces as one gzip member. CPU-bound: on the worker pool. Errors: internal.
Result<std::string> gzip_of(const Chunk& pieces);

/// `inner` as one gzip member, coded on the pool while it is sent. `pool` outlives it.
std::unique_ptr<BodySource> gzip_source(std::unique_ptr<BodySource> inner, io::WorkerPool& pool);

/// Codes the answer, when the request takes it and it is worth it; a strong ETag becomes a weak one. `pool` outlives
/// the response.
void apply_gzip(const Request& request, Response& response, io::WorkerPool& pool);

}  // namespace cairn::web
