#pragma once
// The reference page of all connectors, made of their specs alone.

#include <string>

namespace kiln::channels {

/// Markdown: a table of all, then for each its options, listing `name.option` for those of blocks, and its valid examples.
/// The same build gives the same bytes. `channels/connectors/README.md` is this text; a test compares.
std::string print_connectors();

}  // namespace kiln::channels
