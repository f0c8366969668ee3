// The DICOM conformance statement (PS3.2), made from what the server itself works with: its tables of SOP Classes,
// transfer syntaxes, character sets and attributes, its routes, and this site's configuration.
#pragma once

#include <string>
#include <vector>

#include "engine/app/config.h"

namespace cairn::app {

struct ConformanceRoute {
  std::string method, path;
};

/// Markdown. Without `routes` (those below /dicom-web count) the section on DICOMweb says where to find them.
std::string conformance_statement(const Config& config, const std::vector<ConformanceRoute>& routes);

}  // namespace cairn::app
