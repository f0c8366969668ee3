// The process that decoder processes are forked from. It is this program, executed anew, and does nothing else: no
// thread, no ring, no database, no stream ever comes near it, and of the server's memory it has nothing. It ends, with
// all that it forked, when the server's end of its socket closes, however the server came to its end.
#pragma once

#include <optional>

#include "codec/foreign.h"

namespace cairn::sandbox {

using DecodeFunction = Result<codec::StreamTraits> (*)(const codec::ForeignJob&, codec::SampleRoom&);

/// The first thing in main() of a program that uses DecoderProcesses: runs the zygote where this process was started to
/// be one, and returns its exit status then. Tests give a decoder that misbehaves.
std::optional<int> run_if_zygote(int argc, char** argv, DecodeFunction decode = codec::run_foreign_here);

}  // namespace cairn::sandbox
