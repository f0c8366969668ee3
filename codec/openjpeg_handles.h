// Owners of OpenJPEG's objects, for its two adapter files only.
#pragma once

#include <memory>

#include <openjpeg.h>

namespace cairn::codec {

struct DestroyOpenJPEGStream {
  void operator()(opj_stream_t* s) const { opj_stream_destroy(s); }
};
struct DestroyOpenJPEGCodec {  // the same type as a stream to the compiler
  void operator()(opj_codec_t* c) const { opj_destroy_codec(c); }
};
struct DestroyOpenJPEGImage {
  void operator()(opj_image_t* i) const { opj_image_destroy(i); }
};
using OpenJPEGStream = std::unique_ptr<opj_stream_t, DestroyOpenJPEGStream>;
using OpenJPEGCodec = std::unique_ptr<opj_codec_t, DestroyOpenJPEGCodec>;
using OpenJPEGImage = std::unique_ptr<opj_image_t, DestroyOpenJPEGImage>;

inline void silence(opj_codec_t* codec) {
  const auto ignore = [](const char*, void*) {};
  opj_set_info_handler(codec, ignore, nullptr);
  opj_set_warning_handler(codec, ignore, nullptr);
  opj_set_error_handler(codec, ignore, nullptr);
}

}  // namespace cairn::codec
