// Debian builds OpenJPEG and OpenJPH with assertions on, and hostile HTJ2K bytes reach some of them: what must cost a
// frame would cost the process. Inside run_trapping_assertions() a failed assertion ends the call instead. Private to
// the adapters.
#pragma once

namespace cairn::codec {

/// Calls `step(context)`. False when an assert() failed in it on this thread: the call was left by longjmp, so `step`
/// must own nothing that has a destructor; what the library had allocated outside its own objects leaks.
bool run_trapping_assertions(void (*step)(void*), void* context);

}  // namespace cairn::codec
