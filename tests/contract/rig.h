#pragma once
// What the contract suite needs to know of a connector to run it: options for a peer that behaves as the case wants.

#include <cstdint>
#include <span>
#include <string>

#include "channels/connector.h"
#include "tests/channels/fixture.h"

namespace kiln::channels::test {

struct ContractRig {
  const char* name;
  ConnectorRole role;
  /// The option block. Of a destination with `peer`: for a peer on 127.0.0.1:port.
  std::string (*options)(World& world, std::uint16_t port);
  bool peer = false;      ///< a destination that speaks to somebody over TCP
  bool listens = false;   ///< a source that others connect to
  /// Of a listener: a message larger than its `max_message` (1 kB); empty: it has none.
  std::string (*oversize)() = nullptr;
  ContentKind kind = ContentKind::hl7;
  bool inside = false;    ///< a destination inside the process: nobody takes what it hands on here, so it waits
};

/// One for every connector of the build.
std::span<const ContractRig> contract_rigs();

}  // namespace kiln::channels::test
