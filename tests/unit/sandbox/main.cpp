#include <gtest/gtest.h>

#include "engine/core/log.h"
#include "engine/sandbox/zygote.h"
#include "misbehaviour.h"

int main(int argc, char** argv) {
  if (const auto status = cairn::sandbox::run_if_zygote(argc, argv, cairn::sandbox::test::misbehave)) return *status;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
