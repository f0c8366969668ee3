// The ordered set under RocksDB's memtables: a tree of sorted arrays with a few bytes of each key beside its pointer,
// so that an insertion touches a handful of cache lines where a skip list touches one or two for each comparison.
// Internal to engine/store/index.
//
// One writer (RocksDB's concurrent memtable writes must be off), any number of readers without locks: what a reader
// sees of a node never changes, except that keys are appended behind its count and a child gives way to one that holds
// the same keys and more. A replaced node stays until the memtable goes, since readers may be in it; that costs about
// 250 bytes for each key. Keys are unique (each has its own RocksDB sequence number) and compared as bytes.
#pragma once

#include <memory>

#include <rocksdb/memtablerep.h>

namespace cairn::store {

std::shared_ptr<rocksdb::MemTableRepFactory> key_tree_factory();

}  // namespace cairn::store
