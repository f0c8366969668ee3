#include "engine/app/dimse_metrics.h"

namespace cairn::app {

void write_dimse_metrics(web::MetricsWriter& writer, const dimse::Stats& stats) {
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  writer.gauge("cairn_dicom_connections", "Open DICOM connections, associations and those in set-up",
               number(stats.connections_open));
  writer.gauge("cairn_associations", "Open associations", number(stats.associations_open));
  writer.counter("cairn_associations_total", "Associations accepted", number(stats.associations_total));
  writer.counter("cairn_associations_rejected_total", "Association requests rejected", number(stats.rejected));
  writer.counter("cairn_associations_aborted_total", "Associations aborted by either side, or lost", number(stats.aborted));
  writer.counter("cairn_dicom_connections_evicted_total", "Half-open connections that made room for newer ones",
                 number(stats.evicted));
  constexpr const char* kAnswers[dimse::kStoreAnswers] = {"success", "out of resources", "mismatch",
                                                         "cannot understand", "duplicate", "other"};
  for (std::size_t i = 0; i < dimse::kStoreAnswers; ++i) {
    writer.counter("cairn_c_store_total", "C-STORE requests by answer", number(stats.stores[i]), {{"answer", kAnswers[i]}});
  }
  writer.counter("cairn_c_echo_total", "C-ECHO requests", number(stats.echoes));
  writer.counter("cairn_c_find_total", "C-FIND requests", number(stats.finds));
  writer.counter("cairn_c_find_matches_total", "C-FIND matches returned", number(stats.matches));
  writer.counter("cairn_c_get_total", "C-GET requests", number(stats.gets));
  writer.counter("cairn_c_move_total", "C-MOVE requests", number(stats.moves));
  writer.counter("cairn_commitments_total", "Storage commitments asked for", number(stats.commitments));
  writer.counter("cairn_commitments_reported_total", "Results of storage commitments that the requester took",
                 number(stats.commitments_reported));
  writer.counter("cairn_commitments_given_up_total", "Results of storage commitments that were given up",
                 number(stats.commitments_given_up));
  writer.counter("cairn_sub_operations_total", "Instances of C-GET and C-MOVE by result",
                 number(stats.sub_operations_completed), {{"result", "completed"}});
  writer.counter("cairn_sub_operations_total", "Instances of C-GET and C-MOVE by result",
                 number(stats.sub_operations_warned), {{"result", "warning"}});
  writer.counter("cairn_sub_operations_total", "Instances of C-GET and C-MOVE by result",
                 number(stats.sub_operations_failed), {{"result", "failed"}});
  writer.counter("cairn_retrieved_bytes_total", "Bytes of data sets sent by C-GET and C-MOVE", number(stats.retrieved_bytes));
  writer.counter("cairn_dicom_received_bytes_total", "Bytes received in DICOM associations", number(stats.received_bytes));
  writer.histogram("cairn_c_store_seconds", "Time from a C-STORE command to its answer", stats.store_us, 1e-6);
}

}  // namespace cairn::app
