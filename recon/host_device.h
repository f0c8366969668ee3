// CAIRN_HOST_DEVICE marks the maths that is compiled for the host and, by nvcc, for the device from the same body.
#pragma once

#if defined(__CUDACC__)
#define CAIRN_HOST_DEVICE __host__ __device__
#else
#define CAIRN_HOST_DEVICE
#endif
