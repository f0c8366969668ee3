#include "engine/web/http2_session.h"

#include <algorithm>
#include <cstring>

#include <boost/asio/co_spawn.hpp>
#include <nghttp2/nghttp2.h>

#include "engine/core/check.h"
#include "engine/core/log.h"
#include "engine/web/http2_stream.h"
#include "engine/web/response_head.h"

namespace cairn::web {
namespace {

using Clock = Http2Session::Clock;
using StreamPointer = std::shared_ptr<Http2Stream>;
using std::chrono::milliseconds;

constexpr std::size_t kWindow = NGHTTP2_INITIAL_WINDOW_SIZE;  // of a stream, and of the connection without uploads
constexpr std::size_t kWideWindow = 1u << 20;                 // of a stream whose body is read
constexpr std::uint64_t kLongestDiscard = 256u << 10;
constexpr std::size_t kGuess = 512u << 10;  // a chunk that is being fetched
constexpr std::chrono::seconds kDiscard{2};
constexpr milliseconds kShutdownNotice{200};  // for requests that the peer sent before it saw the notice

// Frames that ask for work and bring nothing (resets, pings, settings, empty data …) fill a bucket that drains with
// time and with what is really served. A viewer that scrolls resets streams by hundreds; a flood is a hundred times
// that.
constexpr std::int64_t kPatience = 4000, kPatiencePerS = 200;
constexpr std::int64_t kHeaderBomb = 50, kInvalid = 20, kServed = -8, kMoved = -4;
constexpr std::size_t kUsefulFrame = 256;

bool is_of_connection(std::string_view name) {
  for (const std::string_view one : {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"}) {
    if (equal_ignoring_case(name, one)) return true;
  }
  return false;
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// The urgency of a Priority field (RFC 9218 §4.1): 0 to 7.
std::uint32_t urgency_of(std::string_view priority) {
  const std::size_t at = priority.find("u=");
  const bool stands_alone =
      at == 0 || (at != std::string_view::npos && (priority[at - 1] == ' ' || priority[at - 1] == ','));
  if (!stands_alone || at + 2 >= priority.size()) return NGHTTP2_EXTPRI_DEFAULT_URGENCY;
  const char digit = priority[at + 2];
  return digit >= '0' && digit <= '7' ? static_cast<std::uint32_t>(digit - '0') : NGHTTP2_EXTPRI_DEFAULT_URGENCY;
}

class Session final : public Http2Session, public Http2Flow, public std::enable_shared_from_this<Session> {
 public:
  Session(asio::any_io_executor executor, std::shared_ptr<Site> site, Http2PeerFacts peer, std::function<void()> wake)
      : executor_(std::move(executor)),
        site_(std::move(site)),
        peer_(std::move(peer)),
        wake_(std::move(wake)),
        limits_(site_->limits),
        idle_since_(Clock::now()),
        ticked_(idle_since_),
        pace_(limits_) {
    open();
  }
  ~Session() override {
    release_all();
    nghttp2_session_del(session_);
  }

  bool receive(Bytes bytes) override {
    if (abandoned_) return false;
    const auto taken =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (taken < 0) {
      // A bad preface, or no memory: other faults of the peer are answered by nghttp2 itself.
      if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        end_for_cause(NGHTTP2_PROTOCOL_ERROR, "preface");
      } else if (taken == NGHTTP2_ERR_FLOODED) {
        end_for_cause(NGHTTP2_ENHANCE_YOUR_CALM, "flood");
      } else {
        end_for_cause(NGHTTP2_INTERNAL_ERROR, "session");
      }
      wake_();
      return false;
    }
    if (misdeeds_ > kPatience) end_for_cause(NGHTTP2_ENHANCE_YOUR_CALM, "flood");
    advance();
    wake_();
    return nghttp2_session_want_read(session_) != 0;
  }

  bool gather(Http2Output& out, std::size_t wanted) override {
    out_ = &out;
    bool well = true;
    while (!abandoned_ && out.bytes() < wanted) {
      const std::size_t before = out.bytes();
      const std::uint8_t* bytes = nullptr;
      const auto length = nghttp2_session_mem_send(session_, &bytes);
      if (length > 0) out.copy(bytes, static_cast<std::size_t>(length));
      if (length < 0) well = false;
      if (out.bytes() == before) break;
    }
    out_ = nullptr;
    advance();
    return well;
  }

  bool is_over() const override {
    return abandoned_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
  }
  std::size_t tasks() const override { return tasks_; }
  Clock::time_point idle_since() const override { return idle_since_; }

  void shut_down() override {
    if (abandoned_ || shutdown_) return;
    shutdown_ = Clock::now();
    nghttp2_submit_shutdown_notice(session_);
    wake_();
  }

  void abandon() override {
    if (abandoned_) return;
    abandoned_ = true;
    release_all();
  }

  void tick(Clock::time_point now) override {
    const auto passed = std::chrono::duration_cast<milliseconds>(now - ticked_);
    const auto previous = std::exchange(ticked_, now);
    misdeeds_ = std::max<std::int64_t>(0, misdeeds_ - kPatiencePerS * std::max<std::int64_t>(passed.count(), 0) / 1000);
    if (abandoned_) return;
    if (shutdown_ && !shutdown_told_ && now - *shutdown_ >= kShutdownNotice) {
      shutdown_told_ = true;
      nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                            NGHTTP2_NO_ERROR, nullptr, 0);
    }
    if (!settings_seen_ && now - began_ > limits_.header_timeout)
      end_for_cause(NGHTTP2_SETTINGS_TIMEOUT, "no settings");
    if (header_since_ && now - *header_since_ > limits_.header_timeout) {
      end_for_cause(NGHTTP2_ENHANCE_YOUR_CALM, "slow header");
    }
    if (streams_.empty() && now - idle_since_ > limits_.idle_timeout && !std::exchange(idle_told_, true)) {
      nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    }
    tick_streams(now, previous);
    advance();
    wake_();
  }

  // Http2Flow
  void consumed(std::int32_t stream, std::size_t bytes) override {
    nghttp2_session_consume(session_, stream, bytes);
    wake_();
  }
  void send_continue(std::int32_t stream) override {
    const nghttp2_nv status = field(":status", "100");
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream, nullptr, &status, 1, nullptr);
    wake_();
  }
  void widen(std::int32_t stream) override {
    const StreamPointer found = find(stream);
    constexpr std::size_t kMore = kWideWindow - kWindow;
    if (!found || found->announced_bytes().value_or(kWideWindow) <= kWindow) return;
    if (site_->widened_window_bytes.fetch_add(kMore, std::memory_order_relaxed) + kMore > Site::kMostWidenedBytes) {
      site_->widened_window_bytes.fetch_sub(kMore, std::memory_order_relaxed);
      return;
    }
    found->widened_bytes = kMore;
    widened_ += kMore;
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream, static_cast<std::int32_t>(kWideWindow));
    set_connection_window();
    wake_();
  }

 private:
  void open();
  void open_stream(std::int32_t id);
  void header_field(Http2Stream& stream, std::string_view name, std::string_view value);
  void header_ended(Http2Stream& stream, bool no_body);
  void body_arrived(Http2Stream& stream, Bytes bytes);
  void close_stream(std::int32_t id);
  ssize_t read_answer(Http2Stream& stream, std::size_t most, std::uint32_t* flags);
  void send_data(Http2Stream& stream, const std::uint8_t* head, std::size_t length);
  void frame_received(const nghttp2_frame& frame);
  void frame_sent(const nghttp2_frame& frame);
  void tick_streams(Clock::time_point now, Clock::time_point previous);

  static asio::awaitable<void> answer(std::shared_ptr<Session> self, StreamPointer stream);
  asio::awaitable<void> may_pull(StreamPointer stream);
  asio::awaitable<void> give(StreamPointer stream);
  bool submit(Http2Stream& stream);
  void put(Http2Stream& stream, Chunk chunk);
  void task_ended(Http2Stream& stream);

  StreamPointer find(std::int32_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
  }
  static Http2Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  void misdeed(std::int64_t weight) { misdeeds_ = std::max<std::int64_t>(0, misdeeds_ + weight); }
  /// The rest of the connection is the message that says why; `reason` is static text.
  void end_for_cause(std::uint32_t code, const char* reason) {
    if (std::exchange(ended_for_cause_, true)) return;
    site_->stats.ended_for_cause(reason);
    log::info("http/2 connection ended", {{"reason", reason}, {"peer", peer_.address}});
    nghttp2_session_terminate_session(session_, code);
  }
  void reset(std::int32_t stream, std::uint32_t code) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
  }
  void set_connection_window() {
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<std::int32_t>(kWindow + widened_));
  }
  /// Whether more of answers may be fetched.
  bool may_hold() const {
    if (held_ == 0 && pulling_ == 0) return true;
    return held_ + pulling_ * kGuess < limits_.stream_held_bytes &&
           site_->stats.http2_held_bytes.load(std::memory_order_relaxed) < Site::kMostHeldBytes;
  }
  void hold(std::ptrdiff_t bytes) {  // wraps: a difference
    held_ += static_cast<std::size_t>(bytes);
    site_->stats.http2_held_bytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  /// Begins what may begin.
  void advance();
  void release(Http2Stream& stream);
  void release_all();

  const asio::any_io_executor executor_;
  const std::shared_ptr<Site> site_;
  const Http2PeerFacts peer_;
  const std::function<void()> wake_;
  const HttpLimits& limits_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, StreamPointer> streams_;  // open ones
  std::deque<StreamPointer> waiting_;              // for their turn to be answered
  std::deque<StreamPointer> gated_;                // for others' bytes to leave
  std::size_t tasks_ = 0;                          // of streams, open or closed
  std::size_t at_work_ = 0;                        // of them, those whose answer is not there yet
  std::size_t header_bytes_ = 0;                   // of open streams
  std::size_t held_ = 0;                           // of answers
  std::size_t pulling_ = 0;                        // chunks of answers that are being fetched
  std::size_t widened_ = 0;                        // of windows
  std::int64_t misdeeds_ = 0;
  Http2Output* out_ = nullptr;  // while gather() runs
  bool settings_seen_ = false, idle_told_ = false, ended_for_cause_ = false, abandoned_ = false;
  bool shutdown_told_ = false, advancing_ = false;
  std::optional<Clock::time_point> shutdown_, header_since_, shut_since_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point idle_since_, ticked_, moved_ = began_;
  Pace pace_;  // time spent with the connection's window shut
};

void Session::open() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  CAIRN_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                            auto& self = *static_cast<Session*>(user);
                                                            self.header_since_ = Clock::now();
                                                            if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
                                                              self.open_stream(frame->hd.stream_id);
                                                            return 0;
                                                          });
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks,
                                                        [](nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
                                                          // Passed over by nghttp2, since SETTINGS said that it is of
                                                          // no use.
                                                          if (head->type == NGHTTP2_PRIORITY)
                                                            static_cast<Session*>(user)->misdeed(1);
                                                          return 0;
                                                        });
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks,
      [](nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_length,
         const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* user) {
        Http2Stream* stream = stream_of(session, frame->hd.stream_id);
        if (stream == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers: none is of use
        static_cast<Session*>(user)->header_field(*stream, {reinterpret_cast<const char*>(name), name_length},
                                                  {reinterpret_cast<const char*>(value), value_length});
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                       [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                         static_cast<Session*>(user)->frame_received(*frame);
                                                         return 0;
                                                       });
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame*, int, void* user) {
        auto& self = *static_cast<Session*>(user);
        self.header_since_.reset();
        self.misdeed(kInvalid);
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t length, void* user) {
        auto& self = *static_cast<Session*>(user);
        Http2Stream* stream = stream_of(session, id);
        if (stream != nullptr) {
          self.body_arrived(*stream, {reinterpret_cast<const std::byte*>(data), length});
        } else {
          nghttp2_session_consume(session, id, length);
        }
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
        static_cast<Session*>(user)->close_stream(id);
        return 0;
      });
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
                                                       [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                         static_cast<Session*>(user)->frame_sent(*frame);
                                                         return 0;
                                                       });
  nghttp2_session_callbacks_set_send_data_callback(
      callbacks, [](nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t length,
                    nghttp2_data_source* source, void* user) {
        static_cast<Session*>(user)->send_data(*static_cast<Http2Stream*>(source->ptr), head, length);
        return 0;
      });
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, 256);
  nghttp2_option_set_max_settings(option, 32);
  // Ours, which knows what was served meanwhile, is stricter.
  nghttp2_option_set_stream_reset_rate_limit(option, 10 * kPatience, 10 * kPatiencePerS);
  const int made = nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  CAIRN_CHECK(made == 0);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kWindow)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.header_bytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

void Session::open_stream(std::int32_t id) {
  if (tasks_ > limits_.streams || header_bytes_ > limits_.stream_header_bytes || ended_for_cause_) {
    // Streams that were reset, but whose work goes on, count too.
    reset(id, NGHTTP2_REFUSED_STREAM);
    misdeed(1);
    return;
  }
  auto stream = std::make_shared<Http2Stream>(id, *this, *site_, executor_);
  Request& request = stream->exchange.request;
  request.peer_address = peer_.address;
  request.peer_is_loopback = peer_.is_loopback;
  request.is_secure = peer_.is_secure;
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  streams_.emplace(id, std::move(stream));
  site_->stats.http2_streams.fetch_add(1, std::memory_order_relaxed);
}

void Session::header_field(Http2Stream& stream, std::string_view name, std::string_view value) {
  constexpr std::size_t kOverhead = 32;  // RFC 9113 §6.5.2
  const std::size_t bytes = name.size() + value.size() + kOverhead;
  stream.header_is_too_large = stream.header_is_too_large || stream.header_bytes + bytes > limits_.header_bytes;
  if (stream.header_is_too_large) return;  // answered when it has ended
  stream.header_bytes += bytes;
  header_bytes_ += bytes;
  Request& request = stream.exchange.request;
  if (name == ":method") {
    request.method = value;
  } else if (name == ":path") {
    stream.target = value;
  } else if (name == ":authority") {
    stream.authority = value;
  } else if (!name.starts_with(':')) {
    if (name == "host") ++stream.hosts;
    request.headers.add(name, value);
  }
}

void Session::header_ended(Http2Stream& stream, bool no_body) {
  Exchange& exchange = stream.exchange;
  Request& request = exchange.request;
  if (no_body) stream.ended();
  if (const std::string_view length = request.headers.get("content-length"); !length.empty()) {
    // nghttp2 has read it: a number, and the body keeps to it.
    stream.announce(std::strtoull(std::string(length).c_str(), nullptr, 10));
  } else if (no_body) {
    stream.announce(0);
  }
  if (!stream.authority.empty()) {
    // It names the host; a Host field beside it must say the same (RFC 9113 §8.3.1).
    const bool same = stream.hosts == 0 || (stream.hosts == 1 && request.headers.get("host") == stream.authority);
    request.headers.set("Host", stream.authority);
    stream.hosts = same ? 1 : 2;
  }
  exchange.read_target(stream.target, stream.hosts, false);
  const nghttp2_extpri priority{urgency_of(request.headers.get("priority")), 1};
  nghttp2_session_change_extpri_stream_priority(session_, stream.id, &priority, 1);
  waiting_.push_back(find(stream.id));
  idle_since_ = Clock::time_point::max();
}

void Session::body_arrived(Http2Stream& stream, Bytes bytes) {
  if (!stream.discards) {
    stream.arrived(bytes);
    return;
  }
  nghttp2_session_consume(session_, stream.id, bytes.size());
  stream.discarded_bytes += bytes.size();
  if (stream.discarded_bytes > kLongestDiscard) reset(stream.id, NGHTTP2_NO_ERROR);
}

void Session::frame_received(const nghttp2_frame& frame) {
  Http2Stream* stream = frame.hd.stream_id > 0 ? stream_of(session_, frame.hd.stream_id) : nullptr;
  const bool last = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool acknowledges = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS:
      header_since_.reset();
      if (stream != nullptr && frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        header_ended(*stream, last);
      } else if (stream != nullptr && last) {
        stream->ended();
      }
      break;
    case NGHTTP2_DATA:
      if (stream != nullptr && last) stream->ended();
      if (!last && frame.hd.length < kUsefulFrame) misdeed(1);
      if (frame.hd.length >= kUsefulFrame) misdeed(kMoved);
      break;
    case NGHTTP2_SETTINGS:
      settings_seen_ = true;
      if (!acknowledges) misdeed(1);
      break;
    case NGHTTP2_PING:
      if (!acknowledges) misdeed(1);
      break;
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE:
      misdeed(1);
      break;
    default:
      break;
  }
}

void Session::frame_sent(const nghttp2_frame& frame) {
  const bool ends = (frame.hd.type == NGHTTP2_DATA || frame.hd.type == NGHTTP2_HEADERS) &&
                    (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!ends) return;
  Http2Stream* stream = stream_of(session_, frame.hd.stream_id);
  if (stream == nullptr) return;
  stream->all_sent = true;
  misdeed(kServed);
  // The peer may be about to end its body, or may not: it is let, for a while (RFC 9113 §8.1).
  stream->discards = true;
  stream->moved = Clock::now();
  const std::size_t unread = stream->queued();
  if (unread > 0) nghttp2_session_consume(session_, stream->id, unread);
}

void Session::release(Http2Stream& stream) {
  hold(-static_cast<std::ptrdiff_t>(stream.waiting_bytes));
  header_bytes_ -= stream.header_bytes;
  widened_ -= stream.widened_bytes;
  site_->widened_window_bytes.fetch_sub(stream.widened_bytes, std::memory_order_relaxed);
  site_->stats.http2_streams.fetch_sub(1, std::memory_order_relaxed);
  stream.close();
  if (stream.task_ended) stream.exchange.account(stream.sent_bytes, stream.all_sent);
}

void Session::close_stream(std::int32_t id) {
  const StreamPointer stream = find(id);
  if (!stream) return;
  streams_.erase(id);
  const std::size_t unread = stream->discards ? 0 : stream->queued();
  const bool narrows = stream->widened_bytes > 0;
  release(*stream);
  // What was not read of the body no longer takes room in the connection's window.
  if (unread > 0) nghttp2_session_consume_connection(session_, unread);
  if (narrows) set_connection_window();
  if (streams_.empty()) idle_since_ = Clock::now();
}

void Session::release_all() {
  waiting_.clear();
  gated_.clear();
  const auto streams = std::exchange(streams_, {});
  for (const auto& [id, stream] : streams) release(*stream);
}

void Session::advance() {
  if (abandoned_ || advancing_) return;
  advancing_ = true;
  while (!waiting_.empty() && at_work_ < limits_.streams_at_work && may_hold()) {
    StreamPointer stream = std::move(waiting_.front());
    waiting_.pop_front();
    if (stream->is_closed()) continue;
    ++tasks_;
    ++at_work_;
    auto task = answer(shared_from_this(), stream);
    asio::co_spawn(executor_, std::move(task), [self = shared_from_this(), stream](std::exception_ptr failure) {
      if (failure) log::error("http/2 stream failed");
      self->task_ended(*stream);
    });
  }
  // Those woken take their room on their own turn: no more are woken than would find some.
  for (std::size_t room = held_ < limits_.stream_held_bytes ? (limits_.stream_held_bytes - held_) / kGuess + 1 : 1;
       room > 0 && !gated_.empty() && may_hold(); --room) {
    gated_.front()->wake();
    gated_.pop_front();
  }
  advancing_ = false;
}

void Session::task_ended(Http2Stream& stream) {
  --tasks_;
  stream.task_ended = true;
  if (stream.is_closed()) stream.exchange.account(stream.sent_bytes, stream.all_sent);
  advance();
  wake_();
}

asio::awaitable<void> Session::answer(std::shared_ptr<Session> self, StreamPointer stream) {
  if (stream->header_is_too_large) {
    self->misdeed(kHeaderBomb);
    stream->exchange.refuse(431, fail(Errc::limit_exceeded, "request header"));
  } else {
    co_await stream->exchange.answer(*stream);
  }
  --self->at_work_;
  self->advance();
  if (stream->exchange.response.source) {
    co_await self->may_pull(stream);
    if (!stream->is_closed()) co_await stream->exchange.begin();
    --self->pulling_;
  }
  if (!stream->is_closed() && self->submit(*stream)) co_await self->give(stream);
}

/// Waits until there is room for a chunk, and takes it: --pulling_ when it has come.
asio::awaitable<void> Session::may_pull(StreamPointer stream) {
  while (!stream->is_closed() && !may_hold()) {
    gated_.push_back(stream);
    co_await stream->wait();
  }
  ++pulling_;
}

/// Hands over the header of the answer, and its body when that is at hand. True: its source is to be given.
bool Session::submit(Http2Stream& stream) {
  Response& response = stream.exchange.response;
  const std::string status = std::to_string(response.status), date = http_date();
  std::string length;
  std::vector<nghttp2_nv> fields{field(":status", status), field("date", date),
                                 field("x-content-type-options", "nosniff")};
  for (const auto& [name, value] : response.headers.fields()) {
    if (is_field_text(name) && is_field_text(value) && !is_of_connection(name)) fields.push_back(field(name, value));
  }
  const bool bodiless = is_bodiless(response);
  if (!bodiless && (!response.source || response.length)) {
    length = std::to_string(response.source ? *response.length : response.body.size());
    fields.push_back(field("content-length", length));
  }
  const bool empty =
      bodiless || stream.exchange.request.method == "HEAD" || (!response.source && response.body.empty());
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t most, std::uint32_t* flags,
                              nghttp2_data_source* source, void* user) {
    return static_cast<Session*>(user)->read_answer(*static_cast<Http2Stream*>(source->ptr), most, flags);
  };
  stream.answered = true;
  stream.moved = Clock::now();
  if (nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(), empty ? nullptr : &provider) != 0) {
    reset(stream.id, NGHTTP2_INTERNAL_ERROR);
    wake_();
    return false;
  }
  if (!empty && !response.source) {
    Chunk chunk;
    chunk.push_back(piece_of(std::move(response.body)));
    stream.all_given = true;
    put(stream, std::move(chunk));
  }
  wake_();
  return !empty && response.source;
}

void Session::put(Http2Stream& stream, Chunk chunk) {
  std::size_t bytes = 0;
  for (Piece& piece : chunk) {
    bytes += piece.bytes.size();
    if (!piece.bytes.empty()) stream.pieces.push_back(std::move(piece));
  }
  if (stream.waiting_bytes == 0) stream.moved = Clock::now();
  stream.waiting_bytes += bytes;
  hold(static_cast<std::ptrdiff_t>(bytes));
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.id);
  wake_();
}

/// Gives the source's chunks, one after the other has been sent.
asio::awaitable<void> Session::give(StreamPointer stream) {
  std::uint64_t given = 0;
  while (!stream->is_closed()) {
    co_await may_pull(stream);
    Result<Chunk> chunk = Chunk{};
    if (!stream->is_closed()) chunk = co_await stream->exchange.next();
    --pulling_;
    if (stream->is_closed()) co_return;
    if (!chunk) {
      reset(stream->id, NGHTTP2_INTERNAL_ERROR);
      wake_();
      co_return;
    }
    for (const Piece& piece : chunk.value()) given += piece.bytes.size();
    stream->all_given = chunk.value().empty() || given == stream->exchange.response.length;
    put(*stream, std::move(chunk).value());
    if (stream->all_given) co_return;
    while (stream->waiting_bytes > 0 && !stream->is_closed()) co_await stream->wait();
  }
}

ssize_t Session::read_answer(Http2Stream& stream, std::size_t most, std::uint32_t* flags) {
  if (stream.waiting_bytes == 0 && !stream.all_given) {
    stream.deferred = true;
    stream.wake();
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t length = std::min(most, stream.waiting_bytes);
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (stream.all_given && length == stream.waiting_bytes) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(length);
}

void Session::send_data(Http2Stream& stream, const std::uint8_t* head, std::size_t length) {
  constexpr std::size_t kFrameHead = 9;
  out_->copy(head, kFrameHead);
  stream.waiting_bytes -= length;
  stream.sent_bytes += length;
  hold(-static_cast<std::ptrdiff_t>(length));
  stream.moved = Clock::now();
  stream.send_pace.step(stream.moved, length);
  pace_.step(stream.moved, length);
  moved_ = stream.moved;
  if (length >= kUsefulFrame) misdeed(kMoved);
  while (length > 0) {
    Piece& front = stream.pieces.front();
    const std::size_t step = std::min(length, front.bytes.size());
    out_->refer({front.bytes.first(step), front.keep});
    front.bytes = front.bytes.subspan(step);
    length -= step;
    if (front.bytes.empty()) stream.pieces.pop_front();
  }
  if (stream.waiting_bytes == 0) stream.wake();
}

void Session::tick_streams(Clock::time_point now, Clock::time_point previous) {
  const bool shut = nghttp2_session_get_remote_window_size(session_) <= 0;
  bool stuck = false;
  std::vector<std::int32_t> late, done;
  for (const auto& [id, stream] : streams_) {
    if (stream->all_sent) {
      if (now - stream->moved > kDiscard) done.push_back(id);
      continue;
    }
    if (stream->waiting_bytes == 0) continue;
    stuck = true;
    if (nghttp2_session_get_stream_remote_window_size(session_, id) > 0) continue;
    stream->send_pace.step(previous, 0);
    if (now - stream->moved > limits_.stall_timeout || stream->send_pace.is_exhausted()) late.push_back(id);
  }
  // Streams that are stuck while others wait behind them, and nothing moves at all: one after the other would take
  // hours.
  if (!late.empty() && !(waiting_.empty() && gated_.empty()) && now - moved_ > limits_.stall_timeout) {
    end_for_cause(NGHTTP2_ENHANCE_YOUR_CALM, "windows kept shut");
    return;
  }
  for (const std::int32_t id : late) reset(id, NGHTTP2_CANCEL);
  for (const std::int32_t id : done) reset(id, NGHTTP2_NO_ERROR);
  if (!stuck || !shut) {
    shut_since_.reset();
    return;
  }
  if (!shut_since_ || moved_ > *shut_since_) shut_since_ = now;
  pace_.step(previous, 0);
  if (now - *shut_since_ > limits_.stall_timeout || pace_.is_exhausted()) {
    end_for_cause(NGHTTP2_ENHANCE_YOUR_CALM, "windows kept shut");
  }
}

}  // namespace

void Http2Output::copy(const std::uint8_t* bytes, std::size_t length) {
  const std::size_t from = copied_.size();
  copied_.append(reinterpret_cast<const char*>(bytes), length);
  bytes_ += length;
  if (!runs_.empty() && runs_.back().referred.empty()) {
    runs_.back().to = copied_.size();
  } else {
    runs_.push_back({{}, from, copied_.size()});
  }
}

void Http2Output::refer(Piece piece) {
  if (piece.bytes.empty()) return;
  bytes_ += piece.bytes.size();
  runs_.push_back({piece.bytes, 0, 0});
  kept_.push_back(std::move(piece.keep));
}

std::vector<Bytes> Http2Output::runs() const {
  std::vector<Bytes> out;
  out.reserve(runs_.size());
  for (const Run& run : runs_) {
    out.push_back(run.referred.empty() ? as_bytes(copied_).subspan(run.from, run.to - run.from) : run.referred);
  }
  return out;
}

void Http2Output::clear() {
  copied_.clear();
  runs_.clear();
  kept_.clear();
  bytes_ = 0;
}

std::shared_ptr<Http2Session> Http2Session::make(asio::any_io_executor executor, std::shared_ptr<Site> site,
                                                 Http2PeerFacts peer, std::function<void()> wake) {
  return std::make_shared<Session>(std::move(executor), std::move(site), std::move(peer), std::move(wake));
}

milliseconds Http2Session::tick_period(const HttpLimits& limits) {
  const auto shortest = std::min({limits.header_timeout, limits.idle_timeout, limits.stall_timeout, limits.grace});
  return std::clamp(shortest / 4, milliseconds(20), milliseconds(1000));
}

}  // namespace cairn::web
