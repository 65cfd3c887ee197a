using System.Text.RegularExpressions;

namespace OpenPlatform.Tests.Architecture;

public sealed partial class GuaranteeTests
{
    /// <summary>A filter that matches nothing would be a promise that nothing checks.</summary>
    [Fact]
    public void Every_command_of_the_guarantees_names_tests_that_exist()
    {
        var tests = typeof(GuaranteeTests).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods().Where(static m => m.IsDefined(typeof(FactAttribute), inherit: true)).Select(m => $"{type.FullName}.{m.Name}"))
            .ToArray();

        var commands = File.ReadLines(Path.Combine(Repository.Root, "docs", "guarantees.md")).Where(static line => line.StartsWith('|'))
            .SelectMany(static row => Command().Matches(row).Select(static m => m.Groups["name"].Value)).ToArray();

        Assert.NotEmpty(commands);
        Assert.All(commands, command => Assert.Contains(tests, test => test.Contains(command, StringComparison.Ordinal)));
    }

    [GeneratedRegex("`T (?<name>[^`]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Command();
}
