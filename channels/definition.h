#pragma once
// A site as data: server options, channels, compiled maps (hmap.md §20). load_site() reads, compiles and
// checks a folder; resolve_site() fills in env(), file() and cred() at start.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channels/connector.h"
#include "channels/options.h"
#include "engine/base/calendar.h"
#include "engine/base/diagnostic.h"
#include "engine/base/env.h"
#include "hl7/validate.h"
#include "mappings/compiler.h"
#include "mappings/package.h"

namespace kiln::channels {

/// A compiled expression, once per entry of the channel's `accept` list (same index), because each type has
/// its own paths.
struct SiteExpression {
  std::vector<std::uint32_t> per_accept;  ///< indexes into ir::Unit::expressions of the site's library
  base::Span span;
};

struct AcceptType {
  ContentKind kind = ContentKind::hl7;
  std::string name;       ///< structure or event, FHIR type, or csv declaration
  std::string version;    ///< hl7: "2.5.1"; empty when not given
  std::string structure;  ///< hl7: the structure id
  std::string event;  ///< hl7: "ADT^A08" when `name` is one event, else empty: every event of the structure
  base::Span span;
};

/// `else …` of accept: what happens to a message that is not accepted.
struct AcceptElse {
  enum class Kind : std::uint8_t { reject, quarantine, skip } kind = Kind::reject;
  std::string ack = "AR";  ///< "AE" or "AR" (CE, CR in enhanced mode)
  int code = 200;          ///< of HL7 table 0357; 200 or 201 by what did not fit when the channel gives none
  bool code_given = false;
  std::string text;
};

enum class AckMode : std::uint8_t { automatic, original, enhanced, none };
enum class AckOn : std::uint8_t { stored, mapped, delivered };

/// What the sender gets when a message is not delivered in time.
enum class AckLate : std::uint8_t { error, reject, accept, close };
/// `ack … { … }`.
struct AckPolicy {
  std::int64_t timeout_ms = 30'000;  ///< on delivered: how long the sender waits
  AckLate late = AckLate::error;     ///< then: AE, AR, AA, or its connection is closed without an answer
  std::vector<std::string> of;       ///< on delivered: destinations that must have it; empty: all that get it
  std::string reply;  ///< a result of a map that answers instead of the plain acknowledgement; empty: none
};

struct MapRoute {
  std::string result;         ///< the name destinations use in `from`
  mappings::Program program;  ///< a map, or a package that dispatches by structure
  std::optional<SiteExpression> condition;
  ContentKind kind = ContentKind::fhir;  ///< of the result
  std::string result_type;               ///< "Bundle", "ADT_A08", csv declaration; empty for a package
  /// Parallel to `accept`: whether the map takes that type. Empty when the channel has no accept clause.
  std::vector<bool> takes;
  base::Span span;
};

/// `map found = rsp_to_bundle of mpi`: what a destination answers, for who asked (`source fhir { serve … }`, or
/// `ack … { reply found }`).
struct ReplyRoute {
  std::string result;
  std::string destination;    ///< whose reply it maps
  mappings::Program program;  ///< a map of that reply
  ContentKind kind = ContentKind::fhir;  ///< of the result
  base::Span span;
};

struct DestinationDefinition {
  std::string name;
  const ConnectorSpec* connector = nullptr;
  std::string from;                     ///< a map result, "source" or "ack"
  bool acks = false;                    ///< from ack: gets the application acknowledgements of enhanced mode
  ContentKind kind = ContentKind::hl7;  ///< what it gets
  std::optional<SiteExpression> condition;
  Options options;
  std::uint32_t connections = 1;
  bool ordered = false;  ///< has `order by`; one connection keeps every order
  /// The key of `order by`: of what the destination gets, in terms of its type. With `from source` one compiled form
  /// per entry of `accept`, else one.
  std::vector<SiteExpression> order;
  std::string order_id;  ///< tells keys of this `order by` from those of another; empty: none
  /// Every name_template option that is given: literal text and expressions alternate, literal first.
  struct Template {
    std::string option;
    std::vector<std::string> literals;
    std::vector<SiteExpression> parts;
  };
  std::vector<Template> templates;
  base::Span span;
};

struct ChannelDefinition {
  std::string name;
  bool disabled = false;
  std::string file;  ///< "channels/adt_in.channel"
  const ConnectorSpec* source = nullptr;
  Options source_options;
  std::vector<AcceptType> accept;
  std::optional<SiteExpression> accept_where;
  AcceptElse accept_else;
  /// Of `validate`: what accepted hl7 messages are checked with before they are mapped; null: not at all.
  std::shared_ptr<const hl7::Validator> validator;
  bool validate_quarantines = false;  ///< a message with errors is set aside instead of refused
  AckMode ack = AckMode::automatic;
  AckOn ack_on = AckOn::mapped;
  AckPolicy ack_policy;
  std::vector<MapRoute> maps;
  std::vector<ReplyRoute> replies;
  std::vector<DestinationDefinition> destinations;
  base::Span span;
};

/// What a channel with `source fhir` answers requests of; empty: it answers none, it gets changes or is of another
/// kind. "search", "create" or "message".
std::string serves(const ChannelDefinition& channel);

/// A loaded site. Immutable but for resolve_site(); shared by all messages pinned to it.
struct Site {
  std::string folder;
  std::string data_folder;  ///< where `data` points, below `folder` unless absolute
  Options server;           ///< of the `server` block; defaults when kiln.conf is absent
  std::vector<ChannelDefinition> channels;
  std::shared_ptr<const mappings::Library>
      library;  ///< source texts and syntax trees: tests, tables, csv declarations
  std::shared_ptr<const mappings::CompiledLibrary> compiled;  ///< maps and expressions
  mappings::Program expressions;  ///< of every SiteExpression, for Runner::evaluate_condition and _text
  std::shared_ptr<const mappings::TableSnapshot> tables;  ///< csv tables and concept maps as read at load
  /// (name, text) of every file of the site that was compiled; load_site_texts() makes the same site of them.
  std::vector<std::pair<std::string, std::string>> files;
  std::string hash;  ///< SHA-256 (hex) over the names and texts of all files that were compiled
};

struct SiteLoad {
  std::shared_ptr<Site> site;  ///< null when a file could not be read or errors were found
  std::shared_ptr<const mappings::Library> library;  ///< its sources() are what the diagnostics point into
  base::Diagnostics diagnostics;
  /// What this version does not have yet (E0915). Such a site can be tested; `check` and `run` refuse it.
  base::Diagnostics unavailable;
};

/// Reads kiln.conf, channels/*.channel, maps/**.hmap and tables of `folder`, compiles and checks everything.
/// Needs no network and no secrets. Errors (the Result): the folder cannot be read.
base::Result<SiteLoad> load_site(base::Env& env, const std::string& folder);
/// As load_site(), of files given as text ({"kiln.conf", …}); for tests and editors.
SiteLoad load_site_texts(std::vector<std::pair<std::string, std::string>> files);

/// `hours` of a source or destination, in the time zone of the channel; nothing: it is always open. Of a resolved site.
std::optional<base::OpenHours> hours_of(const Site& site, const ChannelDefinition& channel, const Options& options);

/// The value of a name_template option for one message: its literals with `values` between them, one per
/// part. A value may not lead out of the folder: `/`, `\\`, control characters, "." and ".." are refused.
/// Errors: cannot_deliver.
base::Result<std::string> render(const DestinationDefinition::Template& name, const Options& options,
                                 const std::vector<std::string>& values);

/// At start: fills in references of every enabled channel and of the server block; refuses what this version
/// does not have (E0915) and SiteLoad::unavailable could not know, because an env() stood in its place.
base::Status resolve_site(Site& site, base::Env& env, const ReferenceSource& references);

/// The options of the `server` block.
std::span<const FieldSpec> server_options();

}  // namespace kiln::channels
