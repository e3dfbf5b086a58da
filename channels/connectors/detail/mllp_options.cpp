#include "channels/connectors/detail/mllp_options.h"

#include "channels/connectors/detail/listener_options.h"

namespace kiln::channels::detail {

namespace mllp = hl7::mllp;

namespace {

namespace limits = base::limits;

constexpr const char* kGarbageWords[] = {"header", "close"};
constexpr const char* kAcceptReject[] = {"accept", "reject"};
constexpr const char* kRestartData[] = {"restart", "data"};
constexpr const char* kReportAccept[] = {"report", "accept"};
constexpr const char* kApplicationAck[] = {"none", "same_connection"};
constexpr const char* kBatchAnswer[] = {"all", "errors"};

constexpr FieldSpec kOptions[] = {
    kPort,
    kBind,
    kTlsListener,
    kInsecure,
    kCharset,
    kTimezone,
    kMaxMessage,
    kConnections,
    {.name = "connections_per_peer",
     .type = FieldType::integer,
     .summary = "most connections of one address",
     .default_value = "100",
     .min = 1,
     .max = limits::kConnectionsPerListenerMax},
    {.name = "idle",
     .type = FieldType::duration,
     .summary = "quiet time between messages before closing",
     .default_value = "10m",
     .min = 10},
    {.name = "frame_timeout",
     .type = FieldType::duration,
     .summary = "time for one message to arrive",
     .default_value = "30s",
     .min = 10},
    kOnStoreFailure,
    {.name = "on_garbage",
     .type = FieldType::word,
     .summary = "answer to a frame that is no HL7 message",
     .default_value = "header",
     .words = kGarbageWords},
    {.name = "missing_trailer",
     .type = FieldType::word,
     .summary = "a frame that ends without CR",
     .default_value = "accept",
     .words = kAcceptReject},
    {.name = "start_in_frame",
     .type = FieldType::word,
     .summary = "a start byte inside a frame",
     .default_value = "restart",
     .words = kRestartData},
    {.name = "unframed",
     .type = FieldType::word,
     .summary = "bytes outside a frame that begin with MSH",
     .default_value = "report",
     .words = kReportAccept},
    {.name = "application_ack",
     .type = FieldType::word,
     .summary =
         "application ACK of enhanced mode behind the accept ACK; `to x: mllp from ack` sends it as an "
         "exchange of its own",
     .default_value = "none",
     .words = kApplicationAck},
    {.name = "batch_answer",
     .type = FieldType::word,
     .summary = "answer to a batch: one answer per message, or those of refused messages only",
     .default_value = "all",
     .words = kBatchAnswer},
    kSequenceNumbers,
    kFragments,
    detail::kValidateOption,
    {.name = "release",
     .type = FieldType::integer,
     .summary = "of MLLP; 2 answers each stored frame with a commit byte, before the acknowledgement",
     .default_value = "1",
     .min = 1,
     .max = 2},
    {.name = "start_byte",
     .type = FieldType::integer,
     .summary = "frame start",
     .default_value = "11",
     .max = 255},
    {.name = "end_byte",
     .type = FieldType::integer,
     .summary = "frame end",
     .default_value = "28",
     .max = 255},
    {.name = "trailer_byte",
     .type = FieldType::integer,
     .summary = "byte after the frame end",
     .default_value = "13",
     .max = 255},
};

constexpr ConnectorExample kExamples[] = {
    {"{ port 2575 }"},
    {"{ port env(\"ADT_PORT\"); charset default \"8859/1\"; timezone \"Europe/Berlin\"; max_message 4MB; "
     "idle 5m }"},
    {"{ port 2575; bind \"0.0.0.0\"; insecure accept_risk }"},
    {"{ port 2575; release 2 }"},
    {"{ port 2575; bind \"0.0.0.0\"; tls { cert cred(\"adt.crt\"); key cred(\"adt.key\"); client_ca "
     "cred(\"partners.crt\"); client required; allow \"CN=his.example.org\" as \"HIS\"; min \"1.3\" } }"},
    {"{ port 2575; tls { cert cred(\"adt.crt\") } }", false},
    {"{ port 2575; tls { cert cred(\"adt.crt\"); key cred(\"adt.key\"); client required } }", false},
    {"{ port 2575; tls { cert cred(\"adt.crt\"); key cred(\"adt.key\"); allow \"CN=his\" as \"HIS\" } }", false},
    {"{ port 2575; release 3 }", false},
    {"{ prot 2575 }", false},
    {"{ port 99999 }", false},
    {"{ }", false},
};

}  // namespace

std::span<const ConnectorExample> mllp_source_examples() {
  return kExamples;
}

std::span<const FieldSpec> mllp_source_options() {
  return kOptions;
}

mllp::FramerOptions framer_options(const Options& options) {
  mllp::FramerOptions out;
  out.bytes.start = static_cast<char>(options.number("start_byte"));
  out.bytes.end = static_cast<char>(options.number("end_byte"));
  out.bytes.trailer = static_cast<char>(options.number("trailer_byte"));
  out.message_max = static_cast<std::size_t>(options.number("max_message"));
  if (options.text("missing_trailer") == "reject") out.missing_trailer = mllp::MissingTrailer::reject;
  if (options.text("start_in_frame") == "data") out.start_in_frame = mllp::StartInFrame::data;
  if (options.text("unframed") == "accept") out.unframed = mllp::Unframed::accept;
  return out;
}

}  // namespace kiln::channels::detail
