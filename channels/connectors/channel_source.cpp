// What other channels of the site hand on (`to NAME: channel { name "…" }`): in the same process, without a copy on a wire.

#include "channels/connectors/detail/common.h"
#include "channels/doors.h"

namespace kiln::channels {

namespace {

constexpr const char* kContentWords[] = {"hl7", "fhir", "csv"};
constexpr FieldSpec kOptions[] = {
    {.name = "content",
     .type = FieldType::word,
     .summary = "what is handed on; the channels that do are checked against it",
     .default_value = "hl7",
     .words = kContentWords},
    {.name = "charset",
     .type = FieldType::string,
     .summary = "character set when MSH-18 is empty",
     .lead = "default"},
    {.name = "timezone",
     .type = FieldType::string,
     .summary = "IANA zone of times without offset; default: the server's"},
};
constexpr ConnectorExample kExamples[] = {{"{ }"}, {"{ content fhir }"}, {"{ content text }", false}};

class ChannelSource final : public Source {
 public:
  explicit ChannelSource(const Surroundings& around) : around_(around) {}

  base::Status start(Intake& intake) override {
    intake_ = &intake;
    if (around_.doors != nullptr) around_.doors->open(around_.channel, intake);
    status_.state = ConnectorStatus::State::up;
    return {};
  }
  /// A message that is being handed on is the intake's, and is answered.
  base::Task<void> stop() override {
    if (around_.doors != nullptr && intake_ != nullptr) around_.doors->close(around_.channel, *intake_);
    intake_ = nullptr;
    status_.state = ConnectorStatus::State::down;
    co_return;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  Surroundings around_;
  Intake* intake_ = nullptr;
  ConnectorStatus status_;
};

std::unique_ptr<Source> make(const Options&, const Surroundings& around) {
  return std::make_unique<ChannelSource>(around);
}

}  // namespace

const ConnectorSpec& channel_source_spec() {
  static const ConnectorSpec spec{.name = "channel",
                                  .role = ConnectorRole::source,
                                  .summary = "takes what other channels of the site hand on",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_source = &make};
  return spec;
}

}  // namespace kiln::channels
