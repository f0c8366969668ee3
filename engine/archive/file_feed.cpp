#include "engine/archive/file_feed.h"

#include "engine/dicom/header_scan.h"
#include "engine/dicom/meta.h"
#include "engine/dicom/part10.h"

namespace cairn::archive {
namespace {

/// SOP Class and Instance UID come early in every data set (group 0008); past this they are as good as absent.
constexpr std::size_t kLongestSearchBytes = 1u << 20;

constexpr const char* kNotDicom = "not a DICOM file";
constexpr const char* kDicomdir = "a DICOMDIR is no instance";

}  // namespace

Task<> FileFeed::write(Bytes bytes) {
  if (passing_) co_return co_await receiver_.write(bytes);
  head_.append(as_text(bytes));
  co_return co_await advance(false);
}

Task<> FileFeed::finish() {
  if (passing_) co_return outcome::success();
  co_return co_await advance(true);
}

bool FileFeed::is_not_an_instance(const Error& error) noexcept {
  return error.where == kNotDicom || error.where == kDicomdir;
}

Task<> FileFeed::advance(bool at_end) {
  const Bytes head = as_bytes(head_);
  const auto read = dicom::try_read_prefix(head, at_end);
  if (!read) co_return fail(Errc::unsupported, kNotDicom);
  const dicom::PrefixProgress& progress = read.value();
  if (!progress.complete) co_return outcome::success();
  const dicom::Part10Prefix& prefix = progress.prefix;
  if (prefix.is_dicomdir) co_return fail(Errc::unsupported, kDicomdir);
  if (!prefix.is_complete()) {
    const Bytes data_set = head.subspan(prefix.data_set_offset);
    dicom::HeaderScanner scanner;
    const std::string probe = dicom::make_file_meta("1", "1", prefix.transfer_syntax_uid, "");
    if (scanner.feed(as_bytes(probe))) {
      // A fault of the data set shows again, and is told, when the receiver scans it.
      (void)scanner.feed(data_set);
    }
    const auto& key = scanner.key();
    const bool found = !key.sop_class_uid.empty() && !key.sop_instance_uid.empty();
    if (!found && !at_end && data_set.size() < kLongestSearchBytes) co_return outcome::success();
    // Any bytes can look like the beginning of a bare data set; without one SOP attribute they are none.
    const bool bare = !prefix.has_dicm && !prefix.has_meta;
    if (bare && key.sop_class_uid.empty() && key.sop_instance_uid.empty()) co_return fail(Errc::unsupported, kNotDicom);
    const std::string meta = dicom::make_file_meta(key.sop_class_uid, key.sop_instance_uid, prefix.transfer_syntax_uid,
                                                   prefix.source_ae);
    CAIRN_CO_TRYV(co_await receiver_.write(as_bytes(meta)));
  }
  passing_ = true;
  const std::string held = std::move(head_);
  co_return co_await receiver_.write(prefix.is_complete() ? as_bytes(held)
                                                          : as_bytes(held).subspan(prefix.data_set_offset));
}

}  // namespace cairn::archive
