#include "engine/app/decoder_metrics.h"

namespace cairn::app {

void write_decoder_metrics(web::MetricsWriter& writer, const sandbox::Stats& stats) {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  for (std::size_t i = 0; i < stats.decoded.size(); ++i) {
    writer.counter("cairn_decoder_frames_total", "Frames decoded in decoder processes", number(stats.decoded[i]),
                   {{"decoder", std::string(codec::kForeignDecoders[i])}});
  }
  writer.counter("cairn_decoder_frames_refused_total", "Frames that a decoder process gave an error for",
                 number(stats.refused));
  const char* const deaths = "Decoder processes that ended before their time";
  writer.counter("cairn_decoder_deaths_total", deaths, number(stats.crashed), {{"cause", "frame"}});
  writer.counter("cairn_decoder_deaths_total", deaths, number(stats.timed_out), {{"cause", "time"}});
  writer.counter("cairn_decoder_deaths_total", deaths, number(stats.killed), {{"cause", "killed"}});
  writer.counter("cairn_decoder_starts_total", "Decoder processes started", number(stats.started));
  writer.counter("cairn_decoder_zygote_starts_total", "Starts of the process that decoder processes are forked from",
                 number(stats.zygotes_started));
  writer.gauge("cairn_decoder_processes", "Decoder processes", number(stats.processes));
  writer.gauge("cairn_decoder_processes_busy", "Decoder processes with a frame", number(stats.busy));
  writer.gauge("cairn_decoder_frames_waiting", "Frames that wait for a decoder process", number(stats.waiting));
}

}  // namespace cairn::app
