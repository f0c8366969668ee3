#include "engine/core/result.h"

namespace cairn {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "cairn"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::truncated: return "input ends too early";
      case Errc::malformed: return "malformed";
      case Errc::limit_exceeded: return "limit exceeded";
      case Errc::unsupported: return "not supported";
      case Errc::missing: return "missing";
      case Errc::mismatch: return "contradiction";
      case Errc::not_found: return "not found";
      case Errc::conflict: return "conflict";
      case Errc::refused: return "refused";
      case Errc::out_of_space: return "out of storage space";
      case Errc::out_of_memory: return "out of memory";
      case Errc::io: return "input/output error";
      case Errc::corrupt: return "checksum mismatch";
      case Errc::cancelled: return "cancelled";
      case Errc::timeout: return "timed out";
      case Errc::closed: return "closed";
      case Errc::internal: return "internal error";
    }
    return "unknown error";
  }
};

}  // namespace

std::error_code make_error_code(Errc e) noexcept {
  static const Category category;
  return {static_cast<int>(e), category};
}

std::string to_string(const Error& e) {
  std::string text = e.where;
  if (!text.empty()) text += ": ";
  text += e.code.message();
  if (e.offset != 0) text += " at offset " + std::to_string(e.offset);
  return text;
}

}  // namespace cairn
