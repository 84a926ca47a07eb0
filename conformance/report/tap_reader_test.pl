# tap_reader_test.pl DIR: reads DIR/*.tap with the parser behind prove(1), and
# compares what it counts with DIR/*.counts.
use strict;
use warnings;
use JSON::PP;
use TAP::Parser;

sub slurp {
  my ($path) = @_;
  local $/;
  open my $file, '<:raw', $path or die "$path: $!";
  return scalar <$file>;
}

sub check {
  my ($path) = @_;
  (my $counts = $path) =~ s/\.tap$/.counts/;
  my $expected = decode_json(slurp($counts));
  my $parser = TAP::Parser->new({ tap => slurp($path) });
  my ($yaml, $replays) = (0, 0);
  while (my $result = $parser->next) {
    die "$path: cannot be read: " . $result->as_string if $result->is_unknown;
    next unless $result->is_yaml;
    $yaml++;
    my $data = $result->data;
    die "$path: no verdict in " . $result->as_string unless $data->{verdict};
    $replays++ if $data->{replay};
  }
  my @errors = $parser->parse_errors;
  die "$path: @errors" if @errors;
  my $red = $expected->{failed} + $expected->{error};
  my %found = (
    tests => $parser->tests_run, planned => $parser->tests_planned,
    red => scalar $parser->failed, skipped => scalar $parser->skipped,
    todo => scalar $parser->todo, surprises => scalar $parser->todo_passed,
    exit => $parser->has_problems ? 1 : 0,
  );
  my %wanted = (
    tests => $expected->{tests}, planned => $expected->{tests}, red => $red,
    skipped => $expected->{skipped}, todo => $expected->{expected},
    surprises => 0, exit => $expected->{exit_code} ? 1 : 0,
  );
  for my $key (sort keys %wanted) {
    die "$path: $key is $found{$key}, not $wanted{$key}"
      if $found{$key} != $wanted{$key};
  }
  die "$path: red without diagnostics" if $red > $yaml;
  return $replays;
}

my @paths = glob "$ARGV[0]/*.tap";
die "no samples" if @paths < 20;
my $replays = 0;
$replays += check($_) for @paths;
die "no diagnostics named a replay" unless $replays;
