// Any stream that the archive would take, into other transfer syntaxes: what comes out reads as an instance again.
#include <cstdint>
#include <string>

#include "engine/core/check.h"
#include "engine/core/uid.h"
#include "engine/dicom/header_scan.h"
#include "engine/transcode/transcoder.h"
#include "tests/unit/web/fake_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cairn;
  const std::string stream(reinterpret_cast<const char*>(data), size);
  dicom::HeaderScanner scanner;
  if (!scanner.feed(as_bytes(stream)) || !scanner.finish()) return 0;
  const std::string uid = scanner.key().sop_instance_uid;
  if (!is_usable_uid(uid)) return 0;
  web::testing::FakeArchive archive;
  archive.part_bytes = 100;
  archive.put(stream);
  const auto instance = archive.instance(uid);
  transcode::Options options;
  options.allow_lossy = true;
  options.encode.limits.max_frame_bytes = 1u << 16;
  for (const std::string_view target : {codec::uids::kExplicitVRLittleEndian, codec::uids::kImplicitVRLittleEndian,
                                        codec::uids::kDeflatedExplicitVRLittleEndian, codec::uids::kRLELossless,
                                        codec::uids::kJPEGLSNearLossless, codec::uids::kEncapsulatedUncompressed}) {
    auto opened = transcode::Transcoder::open(archive, instance.value(), *codec::find_transfer_syntax(target), options);
    if (!opened) continue;
    std::string out = opened.value()->file_meta();
    bool whole = false;
    while (!whole && out.size() < (16u << 20)) {
      const auto more = opened.value()->next(out);
      if (!more) break;
      whole = !more.value();
    }
    if (!whole) continue;
    // A VR that contradicts the dictionary cannot be said in implicit VR: then the data set does not read the same.
    if (target == codec::uids::kImplicitVRLittleEndian) continue;
    dicom::HeaderScanner made;
    CAIRN_CHECK(static_cast<bool>(made.feed(as_bytes(out))));
    // UIDs of another VR than UI are turned round with the byte order: the instance may be refused for them.
    const auto finished = made.finish();
    CAIRN_CHECK(finished || finished.error() == Errc::malformed || finished.error() == Errc::missing);
  }
  return 0;
}
