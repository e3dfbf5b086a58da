// The code of hl7/TOUR.md as a program; tests/e2e/library.sh compares the two, builds this and runs it.

// begin
#include <hl7/ack.h>
#include <hl7/builder.h>
#include <hl7/diff.h>
#include <hl7/dictionary/dictionary.h>
#include <hl7/group_path.h>
#include <hl7/message.h>
#include <hl7/mllp/framer.h>
#include <hl7/structure.h>
#include <hl7/validate.h>
#include <hl7/xml.h>

#include <iostream>

using namespace kiln::hl7;
// end

int main() {
  // begin
  const std::string bytes =
      "MSH|^~\\&|LAB|NORTH|EHR|NORTH|20240131120000+0100||ORU^R01^ORU_R01|M42|P|2.5.1\r"
      "PID|1||70041^^^NORTH^MR~88-4471^^^INSURER^SN||Brandt^Ilse||19610612|F|||\"\"\r"
      "OBR|1|||GLU\\T\\K^Glucose and Potassium\r"
      "OBX|1|NM|GLU^Glucose||5.5|mmol/L|3.9-5.6|N|||F\r"
      "OBX|2|NM|K^Potassium||4.1|mmol/L|3.5-5.1|N|||F\r";
  const auto message = Message::parse(bytes);
  if (!message) {
    std::cerr << message.error().message() << "\n";
    return 1;
  }
  std::cout << message->segment_count() << " segments, same bytes: " << (message->bytes() == bytes) << "\n";

  const SegmentView pid = message->find("PID");
  std::cout << pid.field(5).component(1).to_text() << ", " << pid.field(5).component(2).to_text() << "\n";
  std::cout << pid.field(3).repetition_count() << " identifiers, the second is "
            << pid.field(3).repetition(2).component(1).to_text() << "\n";
  std::cout << "PID-11 is null: " << pid.field(11).is_null() << ", PID-12 is absent: " << pid.field(12).absent()
            << "\n";
  std::cout << message->field("OBR", 4).raw() << " means " << message->field("OBR", 4).to_text() << "\n";

  const auto path = Path::compile("PID-3[where .5 == \"SN\"].1");
  std::cout << path->get(*message).to_text() << "\n";

  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < message->segment_count(); ++i) ids.push_back(message->segment(i).id());
  GroupTree tree;
  match(Structure::find(Version::v2_5_1, "ORU_R01"), ids, tree);
  const auto results = GroupPath::compile("ORDER_OBSERVATION[1].OBSERVATION[*].OBX-5");
  results->visit(*message, tree, [](const Piece& piece) {
    std::cout << piece.to_text() << " ";
    return true;
  });
  std::cout << "\n";

  const Dictionary dictionary(Version::v2_5_1);
  const auto field = dictionary.segment("PID")->field(3);
  std::cout << field->name << ", type " << field->datatype << ", usage " << field->usage << "\n";

  const ValidationReport report = Validator().validate(*message);
  for (const Finding& finding : report.findings) std::cout << finding.path << ": " << finding.text << "\n";

  AckInput input;
  input.control_id = "A1";
  input.time = *kiln::base::PartialDate::parse_hl7("20240131120001+0100");
  std::string ack = make_ack(*message, input);
  const AckOutcome outcome = parse_ack(ack, "M42");
  std::cout << name_of(outcome.verdict) << " of " << outcome.control_id << "\n";

  mllp::Framer framer;
  const std::string frame = *mllp::encode_frame(ack);
  framer.push(frame.substr(0, 10));
  framer.push(frame.substr(10));
  const auto event = framer.next();
  std::cout << "a frame of " << event->bytes.size() << " bytes, as it was: " << (event->bytes == ack) << "\n";

  MessageBuilder builder;
  SegmentBuilder& msh = builder.add("MSH");
  if (!msh.set(3, "KILN") || !msh.set(9, 1, 1, 1, "ADT") || !msh.set(9, 1, 2, 1, "A08")) return 1;
  SegmentBuilder& note = builder.add("NTE");
  if (!note.set(3, "5 | 6 \\ 7")) return 1;
  std::string built = builder.print();
  for (char& c : built) c = c == '\r' ? '\n' : c;
  std::cout << built;

  const std::string xml = to_xml(*message, {.declaration = false});
  std::cout << xml.substr(0, 62) << "…\n";
  const auto again = Message::parse(*from_xml(xml));
  std::cout << "the same after v2.xml: " << diff(*message, *again).equal_values() << "\n";
  // end
  return 0;
}
