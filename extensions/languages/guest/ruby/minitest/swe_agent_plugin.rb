# Result lines of Minitest, which loads this file as a plug-in.
require_relative '../swe_agent_results'

module SweAgentResults
  # The methods of a class of tests that were requested.
  module Chosen
    def runnable_methods
      super.select { |name| SweAgentResults.wanted?(*SweAgentResults.place(self, name).values_at(0, 2)) }
    end
  end

  # A test that reports how it ends.
  module Reported
    def run
      SweAgentResults.write({ running: SweAgentResults.place(self.class, name)[2] })
      result = super
      failure = result.failures.first
      outcome = failure.nil? ? 'passed' : result.skipped? ? 'skipped' : 'failed'
      error = failure.respond_to?(:error) ? failure.error : failure
      told = [failure&.message, error && error.class, error && error.backtrace]
      SweAgentResults.result(self.class, name, outcome, result.time, *told)
      result
    end
  end
end

module Minitest
  def self.plugin_swe_agent_init(options)
    SweAgentResults.start('minitest')
    return unless SweAgentResults.active?

    Minitest::Test.singleton_class.prepend(SweAgentResults::Chosen)
    Minitest::Test.prepend(SweAgentResults::Reported)
    is_whole = !(options[:filter] || options[:include] || options[:exclude])
    announced = is_whole ? Minitest::Runnable.runnables.sum { |each| each.runnable_methods.size } : 0
    Minitest.after_run { SweAgentResults.finish(announced) }
  end
end
