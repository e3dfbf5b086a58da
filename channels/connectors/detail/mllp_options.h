#pragma once
// The option table of the MLLP listener, and what it means for the framer (hl7v2.md §12).

#include <span>

#include "channels/connector.h"
#include "channels/field_spec.h"
#include "channels/options.h"
#include "hl7/mllp/framer.h"

namespace kiln::channels::detail {

std::span<const FieldSpec> mllp_source_options();
std::span<const ConnectorExample> mllp_source_examples();
/// `options` are resolved and of that table.
hl7::mllp::FramerOptions framer_options(const Options& options);

}  // namespace kiln::channels::detail
