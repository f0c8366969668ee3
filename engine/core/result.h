// Result<T>: a value or an Error; how every fallible function of Cairn reports failure. Exceptions stay at the edges
// (one wrapper per throwing library). Use CAIRN_TRY(value, expression) and CAIRN_TRYV(expression) in functions, and
// CAIRN_CO_TRY / CAIRN_CO_TRYV in coroutines, to hand an error on.
#pragma once

#include <boost/outcome/coroutine_support.hpp>
#include <boost/outcome/std_result.hpp>
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>
#include <system_error>

namespace cairn {

/// Causes. Few on purpose: what a caller may decide differently about. The detail is in Error::where.
enum class Errc {
  truncated = 1,   ///< input ends before what it announces
  malformed,       ///< input breaks its format
  limit_exceeded,  ///< input is past a stated limit
  unsupported,     ///< well formed, but not something we do
  missing,         ///< a required attribute or parameter is absent
  mismatch,        ///< two statements contradict each other
  not_found,
  conflict,        ///< refused by the duplicate policy or a state rule
  refused,         ///< not allowed for this caller
  out_of_space,    ///< the storage reserve is reached
  out_of_memory,   ///< a memory budget is used up
  io,              ///< the operating system failed a read, write or flush
  corrupt,         ///< stored bytes fail their checksum
  cancelled,
  timeout,
  closed,          ///< the peer or the component is gone or shutting down
  internal,
};

std::error_code make_error_code(Errc e) noexcept;

/// What went wrong and where. `where` is a string literal naming the field or step; never patient data.
/// `offset` is a byte offset in the input or file, or 0 where none applies.
struct Error {
  std::error_code code;
  std::uint64_t offset = 0;
  const char* where = "";
};

inline Error fail(Errc code, const char* where, std::uint64_t offset = 0) noexcept {
  return Error{make_error_code(code), offset, where};
}
inline Error fail_errno(int error_number, const char* where, std::uint64_t offset = 0) noexcept {
  return Error{std::error_code(error_number, std::generic_category()), offset, where};
}

/// "where: cause (at offset N)"; safe to log and to show to a peer.
std::string to_string(const Error& e);

inline bool operator==(const Error& e, Errc c) noexcept { return e.code == make_error_code(c); }

namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;

/// Reading value() of a failed Result terminates: callers test first or use the TRY forms.
template <class T = void>
using Result = outcome::basic_result<T, Error, outcome::policy::terminate>;

}  // namespace cairn

template <>
struct std::is_error_code_enum<cairn::Errc> : std::true_type {};

#define CAIRN_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
#define CAIRN_TRYV(...) BOOST_OUTCOME_TRYV(__VA_ARGS__)
#define CAIRN_CO_TRY(...) BOOST_OUTCOME_CO_TRY(__VA_ARGS__)
#define CAIRN_CO_TRYV(...) BOOST_OUTCOME_CO_TRYV(__VA_ARGS__)
