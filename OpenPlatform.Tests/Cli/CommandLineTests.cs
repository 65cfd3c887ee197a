using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Cli;
using OpenPlatform.Gateway.PrivatePort;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;
using Tables = OpenPlatform.Tests.Architecture.Repository;

namespace OpenPlatform.Tests.Cli;

/// <summary>The tool as people and pipelines meet it.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public void The_documented_exit_codes_are_those_of_the_code() =>
        Assert.Equal(
            Enum.GetValues<ExitCode>().Select(static code => $"{(int)code} {code}"),
            Tables.Table("docs/command-line.md", "| Exit code | Name | Meaning |").Select(static row => $"{row[0]} {row[1]}"));

    [Fact]
    public async Task Help_names_every_documented_command()
    {
        using var cli = new CliProcess();
        var help = (await cli.RunAsync("--help")).Ended(0).Output;
        Assert.All(Tables.Table("docs/command-line.md", "| Command | What it does |"), row => Assert.Contains("\n  " + row[0].Trim('`').Split(' ')[1], help, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_catalog_a_login_or_anybody_who_answers_it_says_what_to_do()
    {
        using var cli = new CliProcess();
        Assert.Contains("openplatform login", (await cli.RunAsync("get", "apis")).Ended((int)ExitCode.Usage).Errors, StringComparison.Ordinal);
        Assert.Contains("openplatform login --server", (await cli.RunAsync("get", "apis", "--server", "http://127.0.0.1:9")).Ended((int)ExitCode.Denied).Errors, StringComparison.Ordinal);
        Assert.Contains("--server", (await cli.RunAsync("get", "apis", "--server", "nowhere")).Ended((int)ExitCode.Usage).Errors, StringComparison.Ordinal);
        Assert.Contains("cannot be reached", (await cli.With("OPENPLATFORM_TOKEN", "any").RunAsync("get", "apis", "--server", "http://127.0.0.1:9")).Ended((int)ExitCode.Unavailable).Errors, StringComparison.Ordinal);
        (await cli.RunAsync("no-such-command")).Ended((int)ExitCode.Usage);
    }

    /// <summary>Lines, blanks, breaks and variables of a text come out of a file as they went into it.</summary>
    [Fact]
    public void What_is_written_as_yaml_is_read_as_it_was()
    {
        string[] texts =
        [
            "", " ", "a\nb", "a\r\nb\r\n", "a \nb", " a\nb", "\na", "a\n\n", "a\n\nb\n", "a\tb\nc", "yes", "null", "1.10", "0x1F", "~", "- a", "a: b", "# a", "'", "\"", "\\", "${A}", "$${A}", "$$${A} ${B}", "${", "a\u2028b\nc", "\uD83D\uDE00\nb", "<<", "2027-01-01", "=", "@a", "`a", "%a", "|", ">\na",
        ];
        var node = new JsonObject { ["texts"] = new JsonArray([.. texts.Select(static text => (JsonNode)text)]), ["<<"] = 1, ["a: b"] = 2.5 };
        var written = node.DeepClone();
        OpenPlatform.Contracts.Declarative.DeclaredVariables.Escape(written);

        var read = JsonNode.Parse(OpenPlatform.Catalog.Apis.Documents.DocumentText.Parse(Output.YamlOf(written)).Document!.Value.GetRawText())!;
        OpenPlatform.Contracts.Declarative.DeclaredVariables.Substitute(read, static _ => "a value", static (pointer, message) => Assert.Fail($"{pointer} {message}"));

        Assert.Equal(node.ToJsonString(), read.ToJsonString());
    }

    [Fact]
    public async Task A_moment_without_an_offset_is_the_same_everywhere()
    {
        using var cli = new CliProcess();
        cli.With("TZ", "Asia/Kolkata").With("OPENPLATFORM_TOKEN", "any");
        Assert.Contains("UTC unless it says otherwise", (await cli.RunAsync("usage", "--from", "soon", "--server", "http://127.0.0.1:9")).Ended((int)ExitCode.Usage).Errors, StringComparison.Ordinal);
        var options = new System.CommandLine.RootCommand { OpenPlatform.Cli.Commands.Moment.Option("--from", "") };
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), options.Parse("--from 2027-01-01").GetValue<DateTimeOffset?>("--from"));
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.FromHours(2)), options.Parse("--from 2027-01-01T00:00:00+02:00").GetValue<DateTimeOffset?>("--from"));
    }

    [Fact]
    public async Task Sign_prints_a_curl_line_and_never_the_secret()
    {
        using var cli = new CliProcess();
        var output = (await cli.RunAsync("the-secret\n", ["sign", "http://localhost:8080/orders/v1/orders?b=1&a=2", "--key-id", "partner-1"])).Ended(0).Output;
        Assert.StartsWith("curl -X GET -H 'X-App-Key: partner-1'", output, StringComparison.Ordinal);
        Assert.Contains("X-App-Signature", output, StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_shows_what_each_step_would_decide()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var cli = new CliProcess();
        var port = gateway.Services.GetRequiredService<PrivatePortHost>().Address!.ToString();

        var answer = await cli.RunAsync(TestSnapshot.Key + "\n", ["explain", "/orders/v1/orders", "--gateway", port, "--with-key", "-o", "json"]);
        var explained = JsonNode.Parse(answer.Ended(0).Output)!;
        Assert.Equal(200, explained["status"]!.GetValue<int>());
        Assert.NotEmpty(explained["steps"]!.AsArray());

        Assert.Contains("401", (await cli.RunAsync("explain", "/orders/v1/orders", "--gateway", port)).Ended(0).Output, StringComparison.Ordinal);
        (await cli.RunAsync("explain", "--id", "unknown", "--gateway", port)).Ended((int)ExitCode.NotFound);
        (await cli.RunAsync("explain", "--gateway", "http://127.0.0.1:9")).Ended((int)ExitCode.Unavailable);
    }

    [Fact]
    public async Task Drain_ends_a_gateway_with_0_and_a_web_page_cannot()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        var state = Directory.CreateTempSubdirectory("openplatform-drain-");
        try
        {
            var port = FreePort.Next();
            var settings = GatewayHost.Settings(catalog.Address, state.FullName).Where(static s => s.Key != "urls")
                .Append((Key: "OpenPlatform:Gateway:PrivatePort:Url", Value: $"http://127.0.0.1:{port}"))
                .ToDictionary(static s => s.Key.Replace(":", "__", StringComparison.Ordinal), static s => s.Value);
            await using var gateway = await ServiceProcess.StartAsync("OpenPlatform.Gateway.dll", settings);
            using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
            using var form = await client.PostAsync("/drain", new FormUrlEncodedContent([]), TestContext.Current.CancellationToken);
            Assert.Equal(System.Net.HttpStatusCode.BadRequest, form.StatusCode);
            Assert.False(gateway.HasExited);

            using var cli = new CliProcess();
            Assert.Contains("Gone.", (await cli.RunAsync("drain", "--gateway", client.BaseAddress.ToString())).Ended(0).Errors, StringComparison.Ordinal);
            Assert.Equal(0, await gateway.ExitCodeAsync());
        }
        finally
        {
            state.Delete(recursive: true);
        }
    }
}
