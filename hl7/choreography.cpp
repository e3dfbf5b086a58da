#include "hl7/choreography.h"

#include <algorithm>

#include "hl7/dictionary/dictionary.h"

namespace kiln::hl7 {

namespace {

/// Application answers of events that 2.9 no longer has, from the chapters of their own versions.
struct OlderAnswer {
  std::string_view event, answer;
};
constexpr OlderAnswer kOlderAnswers[] = {
    {"EQQ_Q04", "EDR_R07"}, {"EQQ_Q04", "ERP_R09"}, {"EQQ_Q04", "TBR_R08"}, {"MFQ_M01", "MFR_M01"},
    {"MFQ_M02", "MFR_M02"}, {"MFQ_M03", "MFR_M03"}, {"MFQ_M04", "MFR_M04"}, {"MFQ_M05", "MFR_M05"},
    {"MFQ_M06", "MFR_M06"}, {"MFQ_M07", "MFR_M07"}, {"NMQ_N01", "NMR_N01"}, {"NMQ_N02", "NMR_N02"},
    {"OMD_O01", "ORD_O02"}, {"OMN_O01", "ORN_O02"}, {"OMS_O01", "ORS_O02"}, {"ORM_O01", "ORR_O02"},
    {"OSQ_Q06", "OSR_Q06"}, {"QBP_Q13", "RTB_K13"}, {"QRY_A19", "ADR_A19"}, {"QRY_P04", "DSR_P04"},
    {"QRY_PC4", "PRR_PC5"}, {"QRY_PC9", "PPV_PCA"}, {"QRY_PCE", "PTR_PCF"}, {"QRY_PCK", "PPT_PCL"},
    {"QRY_Q01", "DSR_Q01"}, {"QRY_Q02", "QCK_Q02"}, {"QRY_Q26", "ROR_ROR"}, {"QRY_Q27", "RAR_RAR"},
    {"QRY_Q28", "RDR_RDR"}, {"QRY_Q29", "RER_RER"}, {"QRY_Q30", "RGR_RGR"}, {"QRY_R02", "ORF_R04"},
    {"QRY_T12", "DOC_T12"}, {"RAS_O01", "RRA_O02"}, {"RDE_O01", "RRE_O02"}, {"RDS_O01", "RRD_O02"},
    {"REF_I12", "RRI_I12"}, {"REF_I13", "RRI_I13"}, {"REF_I14", "RRI_I14"}, {"REF_I15", "RRI_I15"},
    {"RGV_O01", "RRG_O02"}, {"RQC_I05", "RCI_I05"}, {"RQC_I06", "RCL_I06"}, {"RQQ_Q09", "ERP_R09"},
    {"SPQ_Q08", "EDR_R07"}, {"SPQ_Q08", "ERP_R09"}, {"SPQ_Q08", "TBR_R08"}, {"SQM_S25", "SQR_S25"},
    {"VQQ_Q07", "EDR_R07"}, {"VQQ_Q07", "TBR_R08"}, {"VXQ_V01", "VXR_V03"}, {"VXQ_V01", "VXX_V02"},
};

/// The type of an answer, when the version knows it.
std::optional<MessageType> type_of(const Dictionary& dictionary, std::string_view answer) {
  const std::size_t bar = answer.find('_');
  const std::string_view code = answer.substr(0, bar);
  const std::string_view trigger = bar == answer.npos ? std::string_view() : answer.substr(bar + 1);
  if (code == "ACK") return MessageType{"ACK", std::string(trigger.substr(0, 3)), "ACK"};
  auto structure = dictionary.event(code, trigger);
  if (!structure) structure = dictionary.structure(answer);
  if (!structure) return std::nullopt;
  return MessageType{std::string(code), std::string(trigger), std::string(structure->id)};
}

template <class List>
void add(const Dictionary& dictionary, const List& answers, std::vector<MessageType>& out) {
  for (const std::string_view answer : answers)
    if (auto type = type_of(dictionary, answer)) out.push_back(std::move(*type));
}

}  // namespace

Responses responses_to(Version version, std::string_view code, std::string_view trigger) {
  Responses out;
  if (code == "ACK") {
    out.defined = true;
    return out;
  }
  const MessageType general{"ACK", std::string(trigger), "ACK"};
  const Dictionary dictionary(version);
  if (const auto stated = Dictionary(Version::v2_9).ack(code, trigger)) {
    out.defined = true;
    add(dictionary, stated->original_mode, out.original);
    add(dictionary, stated->accept, out.accept);
    add(dictionary, stated->application, out.application);
    // The answers of 2.9 may be younger than the version; then the general one stands in.
    if (out.original.empty() && !stated->original_mode.empty()) out.original.push_back(general);
    if (out.application.empty() && !stated->application.empty()) out.application.push_back(general);
    return out;
  }
  const std::string event = std::string(code) + "_" + std::string(trigger);
  for (const OlderAnswer& row : kOlderAnswers)
    if (row.event == event)
      if (auto type = type_of(dictionary, row.answer)) out.application.push_back(std::move(*type));
  out.defined = !out.application.empty();
  if (!out.defined) out.application.push_back(general);
  out.original = out.application;
  out.accept.push_back(general);
  return out;
}

Responses responses_to(const Message& message) {
  std::string code, trigger, version;
  const FieldView type = message.header().field(9);
  return responses_to(nearest_version(message.header().field(12).text(version)).version,
                      type.component(1).text(code), type.component(2).text(trigger));
}

}  // namespace kiln::hl7
