#pragma once
// Private to channels/net: a stream that can tell whether anybody still listens.

namespace kiln::channels::detail {

class PeerProbe {
 public:
  virtual ~PeerProbe() = default;
  /// True when the peer has closed or half closed, and has sent nothing that was not read. Does not wait, takes
  /// nothing. On the network's executor.
  virtual bool is_gone() = 0;
};

}  // namespace kiln::channels::detail
