using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed class ManifestTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_manifest_holds_expressions_and_no_secret()
    {
        using var project = Apps.Project("""{ "profiles": { "http": { "commandName": "Project", "applicationUrl": "http://localhost:5080" } } }""");
        Assert.Equal("""
            {
              "resources": {
                "token": {
                  "type": "parameter.v0",
                  "value": "{token.inputs.value}",
                  "inputs": {
                    "value": {
                      "type": "string",
                      "secret": true
                    }
                  }
                },
                "region": {
                  "type": "parameter.v0",
                  "value": "{region.inputs.value}",
                  "inputs": {
                    "value": {
                      "type": "string",
                      "default": {
                        "value": "west"
                      }
                    }
                  }
                },
                "pg": {
                  "type": "container.v0",
                  "image": "docker.io/library/postgres:18.3",
                  "args": [
                    "-c",
                    "max_connections=50"
                  ],
                  "bindMounts": [
                    {
                      "source": "init",
                      "target": "/init",
                      "readOnly": true
                    }
                  ],
                  "volumes": [
                    {
                      "name": "pg-data",
                      "target": "/var/lib/postgresql",
                      "readOnly": false
                    }
                  ],
                  "env": {
                    "POSTGRES_PASSWORD": "{pg-password.value}"
                  },
                  "bindings": {
                    "tcp": {
                      "scheme": "tcp",
                      "protocol": "tcp",
                      "transport": "tcp",
                      "targetPort": 5432
                    }
                  }
                },
                "catalogdb": {
                  "type": "value.v0",
                  "connectionString": "Host={pg.bindings.tcp.host};Port={pg.bindings.tcp.port};Password={pg-password.value};Database=catalogdb"
                },
                "catalog": {
                  "type": "project.v0",
                  "path": "Shop.Api.csproj",
                  "args": [
                    "--region",
                    "{region.value}"
                  ],
                  "env": {
                    "OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY": "in_memory",
                    "HTTP_PORTS": "{catalog.bindings.http.targetPort}",
                    "ASPNETCORE_FORWARDEDHEADERS_ENABLED": "true",
                    "ConnectionStrings__catalogdb": "{catalogdb.connectionString}",
                    "CATALOGDB_HOST": "{pg.bindings.tcp.host}",
                    "CATALOGDB_URI": "db://user:{pg-password-uri-encoded.value}@{pg.bindings.tcp.host}:{pg.bindings.tcp.port}/catalogdb",
                    "TOKEN": "{token.value}"
                  },
                  "bindings": {
                    "http": {
                      "scheme": "http",
                      "protocol": "tcp",
                      "transport": "http",
                      "external": true
                    },
                    "https": {
                      "scheme": "https",
                      "protocol": "tcp",
                      "transport": "http",
                      "external": true
                    }
                  }
                },
                "worker": {
                  "type": "executable.v0",
                  "workingDirectory": ".",
                  "command": "worker",
                  "env": {
                    "CATALOG_HTTP": "{catalog.bindings.http.url}",
                    "services__catalog__http__0": "{catalog.bindings.http.url}",
                    "CATALOG_HTTPS": "{catalog.bindings.https.url}",
                    "services__catalog__https__0": "{catalog.bindings.https.url}"
                  },
                  "bindings": {
                    "grpc": {
                      "scheme": "http",
                      "protocol": "tcp",
                      "transport": "http2",
                      "port": 81,
                      "targetPort": 8000
                    }
                  }
                },
                "pg-password": {
                  "type": "parameter.v0",
                  "value": "{pg-password.inputs.value}",
                  "inputs": {
                    "value": {
                      "type": "string",
                      "secret": true,
                      "default": {
                        "generate": {
                          "minLength": 22,
                          "special": false
                        }
                      }
                    }
                  }
                },
                "pg-password-uri-encoded": {
                  "type": "annotated.string",
                  "value": "{pg-password.value}",
                  "filter": "uri"
                }
              }
            }
            """.ReplaceLineEndings("\n"), await PublishAsync(project, "publish", project.Folder));
    }

    [Theory]
    [InlineData("publish-manifest", "out.json", "out.json")]
    [InlineData("publish-manifest", "deep/folder", "deep/folder/aspire-manifest.json")]
    [InlineData("publish", "folder", "folder/aspire-manifest.json")]
    public async Task The_output_path_is_a_file_or_a_folder_which_is_made(string step, string output, string file)
    {
        using var project = Apps.Project();
        await PublishAsync(project, step, Path.Join(project.Folder, output), read: false);
        Assert.True(File.Exists(Path.Join(project.Folder, file)));
    }

    [Fact]
    public async Task Two_runs_write_the_same_bytes()
    {
        using var project = Apps.Project();
        Assert.Equal(await PublishAsync(project, "publish", project.Folder), await PublishAsync(project, "publish", project.Folder));
    }

    [Theory]
    [InlineData(new[] { "--step", "publish" }, "Step 'publish' needs --output-path")]
    [InlineData(new[] { "--step", "deploy-all", "--output-path", "x" }, "--step 'deploy-all' is unknown. Available steps: publish, publish-manifest")]
    public async Task What_is_missing_or_unknown_is_told_and_makes_the_exit_code(string[] args, string message)
    {
        var exitCode = Environment.ExitCode;
        try
        {
            var builder = Apps.Publishing(args);
            builder.Options.Quiet = true;
            await using var app = builder.Build();
            var reporter = app.Services.GetRequiredService<IPublishingActivityReporter>();
            await app.RunAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);

            Assert.Equal(1, Environment.ExitCode);
            var last = await reporter.ReadAllAsync(Stop).LastAsync(Stop);
            Assert.Equal((PublishingActivityType.PublishComplete, CompletionState.CompletedWithError), (last.Type, last.State));
            Assert.Contains(message, last.StatusText, StringComparison.Ordinal);
        }
        finally
        {
            Environment.ExitCode = exitCode;
        }
    }

    [Fact]
    public async Task A_tool_hears_step_and_task_begin_and_end()
    {
        using var project = Apps.Project();
        var builder = Apps.Publishing("--step", "publish", "--output-path", project.Folder);
        builder.Options.Quiet = true;
        await using var app = builder.Build();
        var reporter = app.Services.GetRequiredService<IPublishingActivityReporter>();
        await app.RunAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal(
            [
                (PublishingActivityType.Step, CompletionState.InProgress), (PublishingActivityType.Task, CompletionState.InProgress), (PublishingActivityType.Task, CompletionState.Completed),
                (PublishingActivityType.Step, CompletionState.Completed), (PublishingActivityType.PublishComplete, CompletionState.Completed),
            ],
            await reporter.ReadAllAsync(Stop).Select(a => (a.Type, a.State)).ToListAsync(Stop));
    }

    [Theory]
    [InlineData(new string[0], DistributedApplicationOperation.Run)]
    [InlineData(new[] { "--operation", "publish" }, DistributedApplicationOperation.Publish)]
    [InlineData(new[] { "--operation=publish" }, DistributedApplicationOperation.Publish)]
    [InlineData(new[] { "--publisher", "manifest" }, DistributedApplicationOperation.Publish)]
    [InlineData(new[] { "--operation", "run" }, DistributedApplicationOperation.Run)]
    public void Switches_decide_between_running_and_publishing(string[] args, DistributedApplicationOperation operation) =>
        Assert.Equal(operation, Apps.Running(args).ExecutionContext.Operation);

    [Fact]
    public void Switches_are_configuration_keys()
    {
        var configuration = Apps.Running("--dcp-cli-path=/x/dcp", "--output-path", "out", "--Own:Key=1").Configuration;
        Assert.Equal(("/x/dcp", "out", "1"), (configuration["DcpPublisher:CliPath"], configuration["Pipeline:OutputPath"], configuration["Own:Key"]));
    }

    private static async Task<string> PublishAsync(TemporaryProject project, string step, string output, bool read = true)
    {
        var builder = Apps.Publishing("--step", step, "--output-path", output, "--Parameters:token=T0P-S3CRET");
        builder.Options.Quiet = true;
        var token = builder.AddParameter("token", secret: true);
        var region = builder.AddParameter("region", "west", publishValueAsDefault: true);
        var password = ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, "pg-password", special: false);
        var pg = builder.AddContainer("pg", "docker.io/library/postgres", "18.3").WithEndpoint(targetPort: 5432, name: "tcp").WithVolume("pg-data", "/var/lib/postgresql")
            .WithBindMount(Path.Join(project.Folder, "init"), "/init", isReadOnly: true).WithArgs("-c", "max_connections=50").WithEnvironment("POSTGRES_PASSWORD", $"{password}");
        // The tcp scheme of a container's endpoint is what other tools expect.
        var database = builder.AddResource(new FakeDatabase("catalogdb", pg.GetEndpoint("tcp"), password));
        var catalog = builder.AddProject("catalog", project.Path).WithReference(database).WithEnvironment("TOKEN", token).WithArgs("--region", region).WithExternalHttpEndpoints();
        builder.AddExecutable("worker", "worker", project.Folder).WithReference(catalog).WithHttpEndpoint(port: 81, name: "grpc").AsHttp2Service();
        builder.AddExternalService("weather", "https://api.example.com/");
        await using var app = builder.Build();
        await app.RunAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        return read ? await File.ReadAllTextAsync(Path.Join(output, ManifestStep.FileName), Stop) : "";
    }
}
