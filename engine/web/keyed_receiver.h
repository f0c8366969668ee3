// A receiver that knows which instance is passing through it before it is committed: for the check against the study of
// the request's URL, and to name the instance that failed. Scans only until the key attributes have been seen.
#pragma once

#include <memory>

#include "engine/archive/archive.h"
#include "engine/dicom/header_scan.h"

namespace cairn::web {

class KeyedReceiver final : public archive::Receiver {
 public:
  explicit KeyedReceiver(std::unique_ptr<archive::Receiver> inner) : inner_(std::move(inner)) {}

  /// Empty members have not been seen (yet).
  const dicom::KeyAttributes& key() const noexcept { return scanner_.key(); }

  Task<std::span<std::byte>> room() override {
    auto given = co_await inner_->room();
    if (given) room_ = given.value();
    co_return given;
  }
  void relieve() override { inner_->relieve(); }
  Result<> received(std::size_t length) override {
    look(Bytes(room_).first(length));
    return inner_->received(length);
  }
  Task<> write(Bytes bytes) override {
    look(bytes);
    return inner_->write(bytes);
  }
  Task<Stored> commit() override { return inner_->commit(); }

 private:
  void look(Bytes bytes) {
    const auto& seen = scanner_.key();
    if (over_ || (!seen.study_instance_uid.empty() && !seen.series_instance_uid.empty())) return;
    over_ = !scanner_.feed(bytes);  // the receiver's own scan tells the fault
  }

  std::unique_ptr<archive::Receiver> inner_;
  std::span<std::byte> room_;
  dicom::HeaderScanner scanner_;
  bool over_ = false;
};

}  // namespace cairn::web
