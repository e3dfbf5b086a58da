// Takes every message and keeps none: for intake-only channels and tests. The journal still holds the
// original.

#include "channels/connectors/detail/common.h"

namespace kiln::channels {

namespace {

constexpr ConnectorExample kExamples[] = {{"{ }"}, {"{ port 1 }", false}};

class DropDestination final : public Destination {
 public:
  base::Status start() override {
    status_.state = ConnectorStatus::State::up;
    return {};
  }
  base::Task<SendOutcome> send(Outgoing) override {
    ++status_.messages;
    co_return SendOutcome::sent("dropped");
  }
  std::size_t batch_max() const override { return base::limits::kDeliveryBatchMax; }
  base::Task<std::vector<SendOutcome>> send_batch(std::vector<Outgoing> messages) override {
    status_.messages += messages.size();
    co_return std::vector<SendOutcome>(messages.size(), SendOutcome::sent("dropped"));
  }
  base::Task<void> stop() override {
    status_.state = ConnectorStatus::State::down;
    co_return;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  ConnectorStatus status_;
};

std::unique_ptr<Destination> make(const Options&, const Surroundings&) {
  return std::make_unique<DropDestination>();
}

}  // namespace

const ConnectorSpec& drop_destination_spec() {
  static const ConnectorSpec spec{.name = "drop",
                                  .role = ConnectorRole::destination,
                                  .summary = "takes every message and keeps none",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = {},
                                  .examples = kExamples,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
