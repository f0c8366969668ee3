// Task<T>: a coroutine that yields Result<T>. Parameters of coroutines go by value, or refer to something whose longer
// life is stated where the function is declared.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "engine/core/result.h"

namespace cairn {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<Result<T>>;

}  // namespace cairn
