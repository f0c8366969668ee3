// In which form frames may be sent (PS3.18 §8.7.3.3, Table 8.7.3-3 to 8.7.3-5): as stored under the media type of their
// coding, decoded as application/octet-stream, or coded anew. A pure function of Accept and what is stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/transfer_syntax.h"
#include "engine/web/media_type.h"

namespace cairn::web {

struct FrameForm {
  bool multipart = true;
  bool decoded = false;    ///< samples, little-endian, colour by pixel; else the stored coding
  bool encoded = false;    ///< decoded, and then coded in syntax_uid
  std::string media_type;  ///< of a frame, without parameters
  std::string syntax_uid;  ///< the transfer syntax that says how to read it

  std::string content_type() const { return media_type + "; transfer-syntax=" + syntax_uid; }
};

/// The media type of a coded frame: image/jls, image/jp2, …, application/octet-stream for native samples.
std::string_view media_type_of(const codec::TransferSyntax& syntax) noexcept;

/// The name of today for a media type that had another one before ("image/x-jls"), or the same.
std::string_view standard_media_type(std::string_view type) noexcept;

/// Without ranges, and for "*/*", stored form first and multipart. Octets without a transfer-syntax parameter are
/// samples (the standard's default); "transfer-syntax=*" takes the stored coding. Older names of types are understood.
/// `single_possible`: one frame is asked for. nullopt: nothing on offer is acceptable.
std::optional<FrameForm> negotiate_frames(const std::vector<MediaRange>& ranges, const codec::TransferSyntax& stored,
                                          bool single_possible);

/// For the body of a 406.
std::string frames_on_offer(const codec::TransferSyntax& stored, bool single_possible);

}  // namespace cairn::web
