#pragma once
// Channels for `kiln test`: the real pipeline and delivery on a journal in memory, a virtual clock and
// destinations that only remember (hmap.md §20).

#include <memory>

#include "channels/definition.h"
#include "mappings/tester.h"

namespace kiln::engine {

class ChannelTestTarget final : public mappings::RunTarget {
 public:
  explicit ChannelTestTarget(std::shared_ptr<const channels::Site> site) : site_(std::move(site)) {}
  base::Result<mappings::ChannelTestOutcome> run(const mappings::ChannelTestRequest& request) override;

  void observe(mappings::ResultObserver observer) override { observer_ = std::move(observer); }

 private:
  std::shared_ptr<const channels::Site> site_;
  mappings::ResultObserver observer_;
};

}  // namespace kiln::engine
