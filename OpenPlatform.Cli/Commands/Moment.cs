using System.CommandLine;
using System.Globalization;

namespace OpenPlatform.Cli.Commands;

/// <summary>An instant on the command line. Without an offset it is UTC, as in the admin API: the same line means the same in every office and pipeline.</summary>
internal static class Moment
{
    public static Option<DateTimeOffset?> Option(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            if (DateTimeOffset.TryParse(result.Tokens.Single().Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment))
            {
                return moment;
            }

            result.AddError($"{name} must be a date or an instant such as 2027-01-01 or 2027-01-01T12:00:00Z (UTC unless it says otherwise); is: {result.Tokens.Single().Value}");
            return null;
        },
    };
}
