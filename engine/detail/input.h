#pragma once
// A stored message as maps and conditions read it: parsed, with the entry of `accept` it fits.

#include <memory>
#include <optional>
#include <string>

#include "channels/definition.h"
#include "engine/journal/journal.h"
#include "hl7/message.h"
#include "mappings/csv.h"
#include "mappings/program.h"

namespace kiln::engine::detail {

/// How the channel's source says its messages are to be read.
hl7::ParseOptions parse_options(const channels::ChannelDefinition& channel);

class Input {
 public:
  /// Errors: of the parsers; never because the channel does not take it (is_accepted()).
  static base::Result<Input> read(const channels::Site& site, const channels::ChannelDefinition& channel,
                                  const NewMessage& message);
  Input(Input&&) noexcept = default;
  Input& operator=(Input&&) noexcept = default;

  bool is_accepted() const { return accepted_.has_value(); }
  std::size_t accepted() const { return *accepted_; }  ///< index in ChannelDefinition::accept
  int refusal_code() const { return refusal_code_; }   ///< table 0357: 200 message type, 201 event
  const char* refusal_text() const {
    return refusal_code_ == 201 ? "event not taken here" : "message type not taken here";
  }

  /// The parsed message of an hl7 input, else nullptr. Valid as long as this object.
  const hl7::Message* hl7() const { return message_.get(); }
  /// Valid as long as this object.
  mappings::RunInput run_input() const;
  mappings::RunContext context() const { return context_; }
  /// The rows with these 1-based numbers as a file of the same form, header included.
  std::string rows_text(const std::vector<std::uint32_t>& rows) const;

 private:
  Input() = default;
  void accept_hl7(const channels::ChannelDefinition& channel);
  void accept_fhir(const channels::ChannelDefinition& channel);
  base::Status read_csv(const channels::Site& site, const channels::ChannelDefinition& channel,
                        const std::string& body);

  channels::ContentKind kind_ = channels::ContentKind::hl7;
  std::unique_ptr<hl7::Message> message_;
  base::JsonDocument json_;
  std::unique_ptr<mappings::CsvFile> csv_;
  mappings::CsvFormat format_;
  std::shared_ptr<const base::TimeZone> zone_;
  mappings::RunContext context_;
  std::optional<std::size_t> accepted_;
  int refusal_code_ = 200;
};

}  // namespace kiln::engine::detail
