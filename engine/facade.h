#pragma once
// Requests of the FHIR API that channels, maps and the journal answer, not the store (fhir.md §12, §13;
// architecture.md §2): searches and creates served by a channel, $process-message, $convert by a map, $status
// and $events.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/fhir_service.h"
#include "engine/journal/reader.h"
#include "engine/pipeline.h"
#include "engine/subscriptions/subscriptions.h"
#include "fhir/interaction.h"

namespace kiln::engine {

/// Home executor only.
class Facade {
 public:
  struct Parts {
    const std::vector<std::unique_ptr<ChannelRuntime>>* channels;
    FhirService* fhir;
    Journal* journal;
    base::TimerExecutor* executor;
    const base::Clock* clock;
    LookupProvider* lookups;
    const Subscriptions* subscriptions;
    const SubscriptionRules* rules;  ///< where may be answered to
    ChannelRuntime* responses;       ///< delivers response messages; null when no channel takes messages
    std::function<std::shared_ptr<const channels::Site>()> site;  ///< the one in use
    /// Runs work on the thread that reads the journal.
    std::function<void(std::function<void(base::Result<JournalReader*>)>)> with_journal;
  };
  explicit Facade(Parts parts);

  /// Whether this request is one of those. The answer is then handle()'s.
  bool takes(const base::HttpRequest& request) const;
  base::Task<base::HttpResponse> handle(base::HttpRequest request, fhir::Principal principal);
  /// The channels are others.
  void look_again();
  /// Ends every wait: the callers get 503.
  void stop();

 private:
  enum class Kind : std::uint8_t { none, search, create, message, convert, status, events, batch };
  struct Wanted {
    Kind kind = Kind::none;
    ChannelRuntime* channel = nullptr;  ///< of search and create
    std::string interaction, type, id;
    fhir::QueryPairs query;
  };
  using Waiting = base::Completion<std::optional<Ending>>;
  using Delivered = fhir::Answer<std::optional<Ending>>;  ///< no ending: no destination was waited for
  using Replied = fhir::Answer<fhir::Reply>;

  /// `is_ours`: takes() has said so.
  Wanted find(const base::HttpRequest& request, bool is_ours = false) const;
  base::Task<Replied> answer(base::HttpRequest request, fhir::Principal principal, Wanted wanted);
  base::Task<Replied> search(base::HttpRequest request, Wanted wanted);
  base::Task<Replied> create(base::HttpRequest request, Wanted wanted);
  base::Task<Replied> message(base::HttpRequest request, Wanted wanted);
  Replied convert(const base::HttpRequest& request, const Wanted& wanted);
  base::Task<Replied> status(Wanted wanted);
  base::Task<Replied> events(Wanted wanted);
  base::Task<Replied> batch(base::HttpRequest request, fhir::Principal principal);
  base::Task<void> answer_entry(base::HttpRequest request, fhir::Principal principal,
                                base::Completion<std::string> done);
  base::Task<base::HttpResponse> ask_store(base::HttpRequest request, fhir::Principal principal);
  bool is_batch(const base::HttpRequest& request, std::string_view target) const;
  bool may_name_channels(std::string_view body) const;
  std::vector<std::size_t> entries_of_channels(base::JsonView bundle, const base::HttpRequest& request) const;

  /// Gives the response of an asynchronous message to the channel that delivers it. io_failed: it is not stored.
  base::Task<base::Status> respond_later(std::string response, std::string name, std::string key);
  /// Through the channel to the destination that answers (none: only until it is stored), and back.
  base::Task<Delivered> ask(ChannelRuntime* channel, channels::Inbound in, std::string destination);
  ChannelRuntime* channel_of_message(base::JsonView header) const;
  /// What a map makes of a text; `name` is what fails in an error.
  fhir::Answer<mappings::RunResult> run_map(const mappings::Program& program, std::string text,
                                            const std::string& channel);

  Parts parts_;
  mappings::Runner runner_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t waits_ = 0;
  bool stopping_ = false;
  bool serves_ = false;  ///< some channel answers requests
};

namespace facade {

/// The destination whose reply answers a request: that of the reply map, else the first that is sent
/// somewhere.
std::string answering_destination(const channels::ChannelDefinition& channel);
/// A search as a Parameters resource: each parameter by its name as valueString; of "system|value" also
/// NAME.system and NAME.value.
std::string parameters_of(const fhir::QueryPairs& query);
/// A searchset of the resources in a Bundle (or of one resource): those of `type` are matches, others
/// included.
fhir::Answer<std::string> searchset_of(const std::string& body, const std::string& type,
                                       const std::string& base_url, const fhir::QueryPairs& query);
/// A failure on the other side, with what became of the message.
fhir::Failure upstream_failure(base::ErrorCode code, const std::string& message);
/// Why a destination did not do it: what its acknowledgement says (422), no answer in time (504), not reached
/// (502).
fhir::Failure failure_of(const Ending& ending, MessageId id);
/// The response to a message Bundle: a message Bundle; `outcome` (an OperationOutcome, may be empty) says why
/// not. It goes to `to`; when that is empty, to where the message says it came from.
std::string response_message(base::JsonView bundle, const std::string& base_url, const char* code,
                             const std::string& outcome, const std::string& to = {});
/// What a run has to say, for an OperationOutcome.
std::vector<fhir::Issue> issues_of(const mappings::RunResult& result);

}  // namespace facade
}  // namespace kiln::engine
