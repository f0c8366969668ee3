// A native data set from one encoding into another while it passes (PS3.5 §7.1, §A.1 to A.5): implicit and explicit VR,
// either byte order, deflated on the way in. Memory does not depend on the data set. A pure function of the bytes; one
// thread at a time.
//
// Values stay as they are but for their byte order; VRs that the source does not say come from the dictionary. Sequences
// and items come out with undefined lengths, group lengths are left out (both would have to be known before the data),
// odd values are padded, trailing padding is dropped.
#pragma once

#include <memory>
#include <string>

#include "engine/core/bytes.h"
#include "engine/core/result.h"
#include "engine/dicom/encoding.h"

namespace cairn::dicom {

class Recoder {
 public:
  /// Precondition: `to` is not deflated.
  Recoder(Encoding from, Encoding to);
  ~Recoder();
  Recoder(Recoder&&) noexcept;
  Recoder& operator=(Recoder&&) noexcept;

  /// The next piece; what it gives is appended to out(): about as much, of a deflated one perhaps 250 times as much.
  /// Errors: as the header scan; unsupported (encapsulated pixel data); limit_exceeded (inflated size).
  Result<> feed(Bytes piece);
  /// The data set has ended. Errors: truncated, malformed.
  Result<> finish();

  /// The caller takes what is there and clears it.
  std::string& out() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::dicom
