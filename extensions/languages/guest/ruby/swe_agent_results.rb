# Result lines of Ruby's test frameworks, appended as each test finishes.
require 'json'

module SweAgentResults
  LONGEST = 4000
  FRAMES = 60
  REQUEST = JSON.parse(File.read(ENV.fetch('SWE_AGENT_TOLD', ENV['SWE_AGENT_RUN'])))
  LOCK = Mutex.new
  @reported = 0
  @finished = 0
  @failed = false
  @active = false

  class << self
    def write(line)
      text = JSON.generate(plain(line))
      LOCK.synchronize { File.open(REQUEST['out'], 'a') { |file| file.write(text + "\n") } }
    end

    # Strings of tests may have any encoding, or none.
    def plain(value)
      case value
      when String then value.dup.force_encoding('UTF-8').scrub
      when Array then value.map { |one| plain(one) }
      when Hash then value.transform_values { |one| plain(one) }
      else value
      end
    end

    # Start to report the tests of this process. The programs that a test starts do not report.
    def start(framework)
      ENV['SWE_AGENT_RUBY'] ||= Process.pid.to_s
      @active = ENV['SWE_AGENT_RUBY'] == Process.pid.to_s
      write({ start: framework }) if @active
    end

    def active?
      @active
    end

    def relative(file)
      File.expand_path(file).delete_prefix(REQUEST['root'] + '/')
    end

    # The file and line of a test, and its id: `file::Class::method`. The file is that of the class: a method may come
    # from a module.
    def place(test, name)
      file, line = test.method_defined?(name) ? test.instance_method(name).source_location : nil
      own = Object.const_source_location(test.name.to_s)&.first if Object.respond_to?(:const_source_location)
      path = relative((own if own && File.file?(own)) || file || '')
      [path, line || 0, "#{path}::#{test.name}::#{name}"]
    rescue NameError
      [relative(file.to_s), line || 0, "#{relative(file.to_s)}::#{test.name}::#{name}"]
    end

    def wanted?(path, id)
      nodes = REQUEST['nodes']
      nodes.empty? || nodes.any? do |node|
        place = node.delete_prefix('./').chomp('/')
        place == '.' || [path, id].include?(place) || id.start_with?("#{place}/", "#{place}::")
      end
    end

    # The repository's own frames in a backtrace, innermost last: [path, line, function].
    def frames(backtrace)
      found = backtrace.map { |frame| /\A(.+?):(\d+)(?::in [`'](.*)')?/.match(frame) }.compact
      own = found.map { |match| [relative(match[1]), match[2].to_i, match[3] || ''] }
      own.reject { |path, _, _| path.start_with?('/') || path.include?('vendor/bundle/') }.first(FRAMES).reverse
    end

    # Write the result of a test that took some seconds; `outcome` is `passed`, `skipped` or `failed`, and `error` the
    # class of the exception.
    def result(test, name, outcome, seconds, message, error, backtrace)
      path, line, id = place(test, name)
      LOCK.synchronize { [@reported += 1, @failed ||= outcome == 'failed'] }
      write({
        id: id, outcome: outcome, path: path, line: line, seconds: seconds, message: message.to_s[0, LONGEST],
        error: error ? error.name.to_s.split('::').last : '', trace: frames(backtrace || [])
      })
    end

    # Report the end of a framework's tests; `announced` is the number of tests that should have run. Two frameworks can
    # be in one process, one after the other.
    def finish(announced = 0)
      return unless @active

      write({ finish: @failed ? 1 : 0, expected: [@reported - @finished, announced].max })
      @finished = @reported
    end
  end
end
