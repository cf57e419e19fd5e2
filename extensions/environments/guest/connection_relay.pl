# The relay for containers without Python; connection_relay.py documents the frames. Core modules only.
use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use Fcntl;
use Socket;

use constant { WINDOW => 262144, CHUNK => 32768, HIGH => 1 << 20, CONNECTIONS => 128, WAITING => 4096 };
$SIG{PIPE} = 'IGNORE';

my ($in, $out, $last) = ('', '', 0);
my %streams;    # by id: sock, waiting, credit, room, sent_end, got_end, shut

sub steady { fcntl($_[0], F_SETFL, fcntl($_[0], F_GETFL, 0) | O_NONBLOCK) }
sub later { $!{EAGAIN} || $!{EWOULDBLOCK} || $!{EINTR} }
sub frame { $out .= pack('aNN', @_[0 .. 2]) . (defined $_[3] ? $_[3] : '') }
sub drop { my $stream = delete $streams{ $_[0] }; close $stream->{sock} }
sub reset_it { frame('R', $_[0], 0); drop($_[0]) }

sub finish {
    my ($number, $stream) = @_;
    if ($stream->{got_end} && $stream->{waiting} eq '' && !$stream->{shut}) {
        $stream->{shut} = 1;
        shutdown($stream->{sock}, 1) or return reset_it($number);
    }
    drop($number) if $stream->{sent_end} && $stream->{shut};
}

sub give {    # write data from the pipe to the connection
    my ($number, $stream) = @_;
    my $written = syswrite($stream->{sock}, $stream->{waiting}, CHUNK);
    if (!defined $written) { reset_it($number) unless later(); return }
    substr($stream->{waiting}, 0, $written, '');
    my $owed = WINDOW - $stream->{room} - length $stream->{waiting};
    if ($owed >= WINDOW / 4) {
        $stream->{room} += $owed;
        frame('C', $number, $owed);
    }
    finish($number, $stream);
}

sub get {    # read from the connection for the pipe
    my ($number, $stream) = @_;
    my $most = $stream->{credit} < CHUNK ? $stream->{credit} : CHUNK;
    my $read = sysread($stream->{sock}, my $data, $most);
    if (!defined $read) { reset_it($number) unless later(); return }
    if ($read) {
        $stream->{credit} -= $read;
        return frame('D', $number, $read, $data);
    }
    $stream->{sent_end} = 1;
    frame('E', $number, 0);
    finish($number, $stream);
}

sub obey {
    my ($kind, $number, $value, $data) = @_;
    my $stream = $streams{$number} or return;
    if    ($kind eq 'D') { $stream->{room} -= $value; $stream->{waiting} .= $data }
    elsif ($kind eq 'C') { $stream->{credit} += $value }
    else {
        $stream->{got_end} = 1;
        $stream->{sent_end} = 1 if $kind eq 'R';
        finish($number, $stream);
    }
}

sub take {    # read from the pipe
    my $read = sysread(STDIN, $in, 65536, length $in);
    exit 0 unless $read || (!defined $read && later());
    my $at = 0;
    while (length($in) - $at >= 9) {
        my ($kind, $number, $value) = unpack('aNN', substr($in, $at, 9));
        my $length = $kind eq 'D' ? $value : 0;
        last if length($in) - $at - 9 < $length;
        obey($kind, $number, $value, substr($in, $at + 9, $length));
        $at += 9 + $length;
    }
    substr($in, 0, $at, '');
}

sub accept_one {
    my $listener = shift;
    accept(my $sock, $listener) or return;
    steady($sock);
    binmode $sock;
    $streams{ ++$last } = { sock => $sock, waiting => '', credit => WINDOW, room => WINDOW };
    frame('O', $last, 0);
}

binmode STDIN;
binmode STDOUT;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or exit 1;
bind($listener, pack_sockaddr_in(0, INADDR_LOOPBACK)) or exit 1;
listen($listener, WAITING) or exit 1;
steady($_) for $listener, \*STDIN, \*STDOUT;
frame('H', $$, (unpack_sockaddr_in(getsockname($listener)))[0]);

while (1) {
    my ($reads, $writes) = ('', '');
    my $may_read = length $out < HIGH;
    my $listens  = $may_read && keys %streams < CONNECTIONS;
    vec($reads, 0, 1) = 1 if length $out < 4 * HIGH;
    vec($writes, 1, 1) = 1 if $out ne '';
    vec($reads, fileno $listener, 1) = 1 if $listens;
    for my $stream (values %streams) {
        my $fd = fileno $stream->{sock};
        vec($reads,  $fd, 1) = 1 if $may_read && $stream->{credit} && !$stream->{sent_end};
        vec($writes, $fd, 1) = 1 if $stream->{waiting} ne '';
    }
    next if select($reads, $writes, undef, undef) < 0;
    if (vec($writes, 1, 1)) {
        my $written = syswrite(STDOUT, $out, 65536);
        exit 0 unless defined $written || later();
        substr($out, 0, $written || 0, '');
    }
    for my $number (keys %streams) {
        my $stream = $streams{$number};
        my $fd     = fileno $stream->{sock};
        give($number, $stream) if vec($writes, $fd, 1);
        get($number, $stream) if vec($reads, $fd, 1) && $streams{$number};
    }
    accept_one($listener) if $listens && vec($reads, fileno $listener, 1);
    take() if vec($reads, 0, 1);
}
