// Every instruction set of this machine, one after the other.
#pragma once

#include <cstdint>
#include <string>

#include <hwy/targets.h>

#include "recon/cpu/row_kernel.h"

namespace cairn::recon {

/// Runs `body(name)` once for each instruction set that this build has and this machine can run.
template <class Body>
void for_each_instruction_set(Body body) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(std::string(cpu::vector_target()));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace cairn::recon
