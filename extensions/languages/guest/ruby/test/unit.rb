# Result lines of test-unit: this file is found before the gem's file of the same name, and loads it.
require_relative '../swe_agent_results'

find_original = lambda do
  files = $LOAD_PATH.map { |folder| File.join(folder.to_s, 'test', 'unit.rb') }
  files.find { |file| File.file?(file) && File.realpath(file) != File.realpath(__FILE__) }
end
gem 'test-unit' unless find_original.call
require find_original.call
require 'test/unit/testcase'

module SweAgentResults
  # A test that reports how it ends; one that was not requested does not run.
  module ReportedUnit
    def run(result, *more, **options, &block)
      return super unless SweAgentResults.active?

      path, _, id = SweAgentResults.place(self.class, method_name)
      return unless SweAgentResults.wanted?(path, id)

      SweAgentResults.write({ running: id })
      known = result.faults.size
      began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      ended = super
      seconds = Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
      faults = result.faults.drop(known).select { |fault| fault.test_name == name }
      kinds = faults.map { |fault| [fault.class.name.split('::').last, fault] }.to_h
      bad = kinds['Error'] || kinds['Failure']
      outcome = bad ? 'failed' : (kinds.keys & %w[Pending Omission]).any? ? 'skipped' : 'passed'
      error = bad.is_a?(Test::Unit::Error) ? bad.exception.class : nil
      SweAgentResults.result(self.class, method_name, outcome, seconds, bad&.message, error, bad&.location)
      ended
    end
  end
end

Test::Unit::TestCase.prepend(SweAgentResults::ReportedUnit)
Test::Unit.at_start { SweAgentResults.start('test-unit') }
Test::Unit.at_exit { SweAgentResults.finish }
