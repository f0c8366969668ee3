// As precompiled.h, for tests.
#pragma once

#include <fstream>
#include <random>
#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmake/precompiled.h"
